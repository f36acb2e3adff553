local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: decision", function()
  local world, decision, ctx

  before_each(function()
    world = stand_ins.reset()
    world.var.upstream_scheme = "https"
    ctx = world.ctx
    ctx.balancer_data = { host = "dogcatcher.test", port = 443 }
    decision = require "kong.plugins.upstream-mtls.decision"
  end)

  it("is not made at first, which alone is no obstacle", function()
    assert.is_false(decision.is_allowed(ctx))
    assert.is_false(decision.is_unfinished(ctx))
    assert.is_nil(decision.obstacle(ctx))
  end)

  it("needs every policy that applies", function()
    decision.expect(ctx, 2)
    decision.allow(ctx, nil)
    assert.is_false(decision.is_allowed(ctx))
    decision.allow(ctx, nil)
    assert.is_true(decision.is_allowed(ctx))
  end)

  describe("deferred", function()
    local POLICY = {}

    it("is an obstacle until it is made", function()
      decision.defer(ctx, POLICY)

      assert.is_true(decision.is_unfinished(ctx))
      assert.is_false(decision.is_allowed(ctx))
      assert.matches("not decided", decision.obstacle(ctx))
    end)

    it("is made once, for its policy", function()
      local decided = {}
      decision.set_decider(function(of_request, policy)
        decided[#decided + 1] = policy
        decision.allow(of_request, nil)
      end)

      decision.defer(ctx, POLICY)
      decision.decide_deferred(ctx)
      decision.decide_deferred(ctx)

      assert.equal(1, #decided)
      assert.equal(POLICY, decided[1])
      assert.is_true(decision.is_allowed(ctx))
      assert.is_nil(decision.obstacle(ctx))
    end)

    it("does not allow a request when the decider answers the client", function()
      decision.set_decider(function()
        return kong.response.error(403, "Forbidden")
      end)

      decision.defer(ctx, POLICY)
      local response = stand_ins.run(world, decision.decide_deferred, ctx)

      assert.equal(403, response.status)
      assert.is_false(decision.is_allowed(ctx))
    end)

    it("is not made where none was deferred", function()
      decision.set_decider(function()
        error("called")
      end)
      decision.decide_deferred(ctx)
    end)
  end)

  describe("to allow", function()
    it("is no obstacle without a certificate", function()
      decision.allow(ctx, nil)

      assert.is_true(decision.is_allowed(ctx))
      assert.is_false(decision.is_unfinished(ctx))
      assert.is_nil(decision.obstacle(ctx))
    end)

    it("is an obstacle until the selected certificate is applied", function()
      decision.allow(ctx, "kong-client")

      assert.equal("kong-client", decision.selected(ctx))
      assert.is_true(decision.is_unfinished(ctx))
      assert.matches('"kong%-client"', decision.obstacle(ctx))

      decision.mark_applied(ctx)
      assert.is_nil(decision.selected(ctx))
      assert.is_nil(decision.obstacle(ctx))
      assert.is_true(decision.is_allowed(ctx))
    end)

    it("remembers for which target a certificate was selected", function()
      decision.allow(ctx, "kong-client")
      assert.equal("https", ctx.mtls_selected_scheme)
      assert.equal("dogcatcher.test", ctx.mtls_selected_host)
      assert.equal(443, ctx.mtls_selected_port)
    end)
  end)

  it("that is missing is answered with 503, and the reason is logged only", function()
    local response = stand_ins.run(world, decision.reject_undecided, "the reason")

    assert.equal(503, response.status)
    assert.equal("No valid policy", response.message)
    assert.same({ "503: the reason" }, stand_ins.texts(world, "err"))
  end)
end)
