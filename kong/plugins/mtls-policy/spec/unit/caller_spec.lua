local stand_ins = require "kong.spec.stand_ins"


describe("mtls-policy: caller", function()
  local world, ctx, caller, vet

  before_each(function()
    world = stand_ins.reset()
    ctx = world.ctx
    stand_ins.replace("kong.plugins.mtls-policy.native", {
      text = function(text) return text end,
    })
    kong.cache = {
      get = function() return nil end,
    }
    caller = require "kong.plugins.mtls-policy.caller"
    caller.prepare()
    vet = { consumer = { username = "vet" }, credential = { id = "a key" }, groups = { "vets" } }
  end)

  it("sets the groups of the policy's consumer", function()
    assert.equal("vet", caller.authenticate(ctx, vet).username)
    assert.same({ "vets" }, kong.ctx.shared.authenticated_groups)
    assert.equal("vet", kong.client.get_consumer().username)
  end)

  it("forgets the groups when another plugin authenticates a consumer", function()
    caller.authenticate(ctx, vet)
    kong.client.authenticate({ username = "carol" }, { id = "a password" })
    assert.is_nil(kong.ctx.shared.authenticated_groups)
    assert.equal("carol", kong.client.get_consumer().username)
  end)

  it("keeps groups that another plugin has set", function()
    caller.authenticate(ctx, vet)
    local groups = { "admins" }
    kong.ctx.shared.authenticated_groups = groups
    kong.client.authenticate({ username = "carol" }, { id = "a password" })
    assert.equal(groups, kong.ctx.shared.authenticated_groups)
  end)
end)
