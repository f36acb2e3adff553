local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: identity", function()
  local identity

  before_each(function()
    stand_ins.reset()
    identity = require "kong.plugins.upstream-mtls.identity"
  end)

  describe("digest", function()
    it("is the SHA-256 of the parts with their lengths", function()
      -- printf '3:abc' | sha256sum
      assert.equal("aab5f9ae99b2e38fb462025c8f72f570c9c811705d2a4277dc855d7fa293fe97", identity.digest({ "abc" }))
    end)

    it("differs for parts that are cut in other places", function()
      local seen = {}
      for _, parts in ipairs({ { "ab", "c" }, { "a", "bc" }, { "abc" }, { "", "abc" }, { "abc", "" } }) do
        local digest = identity.digest(parts)
        assert.is_nil(seen[digest])
        seen[digest] = true
      end
    end)
  end)

  describe("identity", function()
    local function of(changes)
      local given = { certificate = "c", anchors = "a", verify = true, depth = 1, scheme = "https" }
      for name, value in pairs(changes or {}) do
        given[name] = value
      end

      return identity.identity(given.certificate, given.anchors, given.verify, given.depth, given.scheme)
    end

    it("is equal for equal connections", function()
      assert.equal(of(), of())
    end)

    for name, value in pairs({ certificate = "d", anchors = "b", verify = false, depth = 2, scheme = "grpcs" }) do
      it("differs with another " .. name, function()
        assert.not_equal(of(), of({ [name] = value }))
      end)
    end

    it("tells nothing presented from everything presented", function()
      assert.not_equal(of(), identity.identity(nil, "a", true, 1, "https"))
      assert.not_equal(of(), identity.identity("c", nil, true, 1, "https"))
      assert.not_equal(identity.identity("c", "a", nil, 1, "https"), of({ verify = false }))
    end)

    it("is lower-case hex, at most 32 digits", function()
      assert.matches("^[0-9a-f]+$", of())
      assert.is_true(#of() <= 32)
    end)

    it("cannot be computed from the certificate: each start has another one", function()
      local before = of()
      stand_ins.reset()
      identity = require "kong.plugins.upstream-mtls.identity"

      assert.not_equal(before, of())
    end)
  end)
end)
