local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: consumer", function()
  local world, consumer, acl_groups, acl_error

  local function load(plugins)
    world = stand_ins.reset({ loaded_plugins = plugins or {} })
    acl_groups, acl_error = nil, nil
    stand_ins.replace("kong.plugins.acl.groups", {
      get_consumer_groups = function()
        return acl_groups, acl_error
      end,
    })
    consumer = require "kong.plugins.upstream-mtls.consumer"
    world.consumer = { id = "an id", username = "alice", custom_id = "a-1" }
  end

  before_each(function()
    load()
  end)

  local function field(name)
    return consumer.field(world.ctx, name)
  end

  it("has the fields of Kong's consumer", function()
    assert.equal("alice", field("username"))
    assert.equal("an id", field("id"))
    assert.equal("a-1", field("custom_id"))
  end)

  it("has no fields without a consumer", function()
    world.consumer = nil
    for _, name in ipairs({ "username", "id", "custom_id", "groups", "credential" }) do
      assert.is_nil((field(name)))
    end
  end)

  it("has no other fields", function()
    world.consumer.created_at = 1
    assert.is_nil((field("created_at")))
  end)

  describe("credential", function()
    -- What Kong's plugins send as X-Credential-Identifier.
    for name, case in pairs({
      ["key-auth"] = { { id = "c", key = "an API key" }, "c" },
      ["jwt"] = { { id = "c", key = "issuer", algorithm = "HS256", secret = "secret" }, "issuer" },
      ["basic-auth"] = { { id = "c", username = "alice", password = "digest" }, "alice" },
      ["oauth2"] = { { id = "c", client_id = "client", client_secret = "secret" }, "client" },
    }) do
      it("of " .. name .. " is no secret", function()
        world.credential = case[1]
        assert.equal(case[2], (field("credential")))
      end)
    end
  end)

  describe("groups", function()
    it("are those of authentication plugins", function()
      world.kong.ctx.shared.authenticated_groups = { "a", "b" }
      assert.equal("a\nb", (field("groups")))
    end)

    it("are those of acl as well, each once", function()
      load({ acl = true })
      acl_groups = { "a", "c" }
      world.kong.ctx.shared.authenticated_groups = { "a", "b" }
      assert.equal("a\nc\nb", (field("groups")))
    end)

    it("with a line break in their name are left out: they would read as two", function()
      world.kong.ctx.shared.authenticated_groups = { "a\nadmin", "b" }
      assert.equal("b", (field("groups")))
    end)

    it("are an error when they cannot be read", function()
      load({ acl = true })
      acl_error = "no database"
      local groups, err = field("groups")
      assert.is_nil(groups)
      assert.equal("no database", err)
    end)
  end)
end)
