local stand_ins = require "kong.spec.stand_ins"


describe("mtls-policy: headers", function()
  local world, edit

  before_each(function()
    world = stand_ins.reset()
    -- of the decision's texts the library makes Lua strings; here they are
    stand_ins.replace("kong.plugins.mtls-policy.native", {
      text = function(text)
        return text
      end,
    })
    -- Kong 3.6 and later
    stand_ins.replace("kong.tools.http", { get_header = function() end })
    edit = require("kong.plugins.mtls-policy.headers").edit
  end)

  -- A decision that sets the headers of `set`, a bit for each.
  local function decision(changes)
    local decided = { removed = {}, removed_len = 0, set = 0 }
    for name, value in pairs(changes) do
      decided[name] = value
    end

    return decided
  end

  it("removes what the decision removes, and nothing else", function()
    world.headers["X-API-Key"] = "secret"
    world.headers["Accept"] = "*/*"
    edit(world.ctx, decision({ removed = { [0] = "x-api-key" }, removed_len = 1 }))

    assert.is_nil(world.headers["X-API-Key"])
    assert.equal("*/*", world.headers["Accept"])
  end)

  it("sets the identity headers that the decision names", function()
    -- bits: id, custom id, username, credential, anonymous
    edit(world.ctx, decision({ set = 1 + 4 + 8 }), { "an id", nil, "Model Citizen", "main", "true" })

    assert.equal("an id", world.headers["X-Consumer-ID"])
    assert.is_nil(world.headers["X-Consumer-Custom-ID"])
    assert.equal("Model Citizen", world.headers["X-Consumer-Username"])
    assert.equal("main", world.headers["X-Credential-Identifier"])
    assert.is_nil(world.headers["X-Anonymous-Consumer"])
  end)

  it("marks the anonymous consumer", function()
    edit(world.ctx, decision({ set = 4 + 16 }), { nil, nil, "anonymous", nil, "true" })

    assert.equal("anonymous", world.headers["X-Consumer-Username"])
    assert.equal("true", world.headers["X-Anonymous-Consumer"])
  end)

  it("replaces cookies by those that hold no key", function()
    world.headers["Cookie"] = "a=1; key=secret"
    edit(world.ctx, decision({ cookies = "a=1" }))

    assert.equal("a=1", world.headers["Cookie"])
  end)

  describe("Connection", function()
    local function connection(value)
      world.var.http_connection = value
      world.headers["Connection"] = value
      edit(world.ctx, decision({}))
      return world.headers["Connection"]
    end

    for _, value in ipairs({ "close", "keep-alive", "keep-alive, Upgrade", "X-Other", "keep-alive, X-Other" }) do
      it("stays as it is: " .. value, function()
        assert.equal(value, connection(value))
      end)
    end

    for given, expected in pairs({
      ["X-Consumer-Username"] = "none",
      ["x-consumer-id, keep-alive"] = "keep-alive",
      ["close, X-Credential-Identifier, X-Other"] = "close, X-Other",
      ["X-ANONYMOUS-CONSUMER,close"] = "close",
      ["X_Consumer_Username, close"] = "close",
      ["keep-alive,, X-Consumer-Custom-ID ,"] = "keep-alive",
    }) do
      it("does not take identity headers away: " .. given, function()
        assert.equal(expected, connection(given) or "none")
      end)
    end

    it("is changed in Kong's copy of the headers, too", function()
      world.ctx.cached_request_headers = { connection = "close, X-Consumer-ID" }
      connection("close, X-Consumer-ID")
      assert.equal("close", world.ctx.cached_request_headers.connection)
    end)

    it("that names an identity header is a 400 on Kong 3.4 and 3.5", function()
      stand_ins.replace("kong.tools.http", {})
      stand_ins.replace("kong.plugins.mtls-policy.headers", nil)
      edit = require("kong.plugins.mtls-policy.headers").edit
      local response = stand_ins.run(world, connection, "close, X-Consumer-ID")
      assert.equal(400, response.status)
    end)
  end)
end)
