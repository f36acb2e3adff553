local stand_ins = require "kong.spec.stand_ins"


local PREFIX = "kong.plugins.upstream-mtls."


describe("upstream-mtls: decision_guard", function()
  local world, ctx, guard, decision
  local hooks, requirement, lookup_error, is_filter, is_used
  local connection_obstacle, grpc_reason, stale_reason, has_many_headers, redacted

  -- The functions that the guard registers with its patches, by name.
  local function register(name)
    return function(fn)
      assert.is_nil(hooks[name], name .. " is registered twice")
      hooks[name] = fn
    end
  end

  before_each(function()
    world = stand_ins.reset()
    ctx = world.ctx
    ctx.route, ctx.service = { id = "route" }, { id = "service" }
    ctx.balancer_data = {}
    hooks, requirement, lookup_error, is_filter, is_used = {}, { required = true }, nil, false, true
    connection_obstacle, grpc_reason, stale_reason, has_many_headers, redacted = nil, nil, nil, false, nil

    for name, module in pairs({
      connection = { obstacle = function() return connection_obstacle end },
      metrics = { count_rejection = function() end },
      grpc_path = {
        publish = function() return grpc_reason end,
        applies_to = function(scheme) return scheme == "grpcs" end,
      },
      policy_lookup = {
        prepare = function() return is_used end,
        requirement = function() return requirement, lookup_error end,
        runs_as_filter = function() return is_filter end,
        stale_reason = function() return stale_reason end,
      },
      log_redaction = {
        hide_keys = function(names) redacted = names end,
        is_in_query = function(names) return names[1] == "in-the-query" end,
      },
      ["patches.header_count"] = { exceeds_filters = function() return has_many_headers end },
      ["patches.late_plugins"] = { before_each = register("before_late_plugin") },
      ["patches.responses"] = {
        before_sending = register("replacement"),
        before_buffering = register("before_buffering"),
      },
      ["patches.access_end"] = { add = register("after_plugins") },
      ["patches.balancer"] = { add_check = register("may_connect") },
    }) do
      stand_ins.replace(PREFIX .. name, module)
    end

    decision = require(PREFIX .. "decision")
    guard = require(PREFIX .. "decision_guard")
  end)

  local function run(name, ...)
    return stand_ins.run(world, hooks[name], ...)
  end

  local function status_of(name, ...)
    local response = run(name, ctx, ...)
    return response and response.status or nil
  end

  it("patches nothing where mtls-policy does not run", function()
    is_used = false
    guard.prepare()
    assert.same({}, hooks)
  end)

  it("patches Kong once, whichever plugin prepares it", function()
    guard.prepare()
    -- `register` fails the second time
    guard.prepare()
    assert.is_function(hooks.may_connect)
  end)

  for _, runtime in ipairs({ "native", "filter" }) do
    describe("(" .. runtime .. ")", function()
      before_each(function()
        is_filter = runtime == "filter"
        guard.prepare()
        -- the filter runs after all plugins
        ctx.ran_wasm = is_filter
      end)

      local function decide()
        decision.allow(ctx, nil)
      end

      it("lets a request pass to which no policy applies", function()
        requirement = { required = false }
        assert.is_nil(status_of("after_plugins"))
        assert.is_true(select(2, run("may_connect", ctx)))
      end)

      it("opens no connection for a request that was not decided on", function()
        run("after_plugins", ctx)
        assert.is_false(select(2, run("may_connect", ctx)))
      end)

      it("opens a connection for an allowed request", function()
        if not is_filter then
          decide()
        end

        assert.is_nil(status_of("after_plugins"))
        decide()
        assert.is_true(select(2, run("may_connect", ctx)))
      end)

      it("opens no connection when it cannot be read whether a policy applies", function()
        requirement, lookup_error = nil, "no database"
        run("after_plugins", ctx)
        assert.is_false(select(2, run("may_connect", ctx)))
        assert.matches("no database", table.concat(stand_ins.texts(world, "err"), "\n"))
      end)

      it("opens no connection when upstream-mtls has a reason not to", function()
        decide()
        connection_obstacle = "the host has changed"
        assert.is_false(select(2, run("may_connect", ctx)))
      end)

      it("opens no connection with a selected certificate that is not applied", function()
        if is_filter then
          decide()
        end

        decision.allow(ctx, "kong-client")
        assert.is_false(select(2, run("may_connect", ctx)))
      end)

      for plugin, expected in pairs({
        ["proxy-cache"] = 503, ["request-termination"] = 503, ["aws-lambda"] = 503, ["correlation-id"] = false,
      }) do
        it("does " .. (expected and "not " or "") .. "run " .. plugin .. " before the decision", function()
          assert.equal(expected or nil, status_of("before_late_plugin", plugin))
        end)
      end

      it("runs a plugin that answers where no policy applies", function()
        requirement = { required = false }
        assert.is_nil(status_of("before_late_plugin", "proxy-cache"))
      end)

      it("replaces the answer of a plugin before the decision", function()
        run("before_late_plugin", ctx, "an-unknown-plugin")
        local _, body = run("replacement", ctx)
        assert.matches("No valid policy", body)
      end)

      it("sends a plugin's rejection before the decision", function()
        run("before_late_plugin", ctx, "an-unknown-plugin")
        ngx.status = 429
        assert.is_nil((select(2, run("replacement", ctx))))
      end)

      it("sends what comes after the decision", function()
        run("before_late_plugin", ctx, "an-unknown-plugin")
        decide()
        assert.is_nil((select(2, run("replacement", ctx))))
      end)

      it("rejects a gRPC request whose path is unknown where a policy applies", function()
        grpc_reason = "escaped characters"
        assert.equal(400, status_of("after_plugins"))
      end)

      it("rejects a gRPC request with a key in its query, which cannot be hidden", function()
        world.var.upstream_scheme = "grpcs"
        requirement = { required = true, hidden_names = { "in-the-query" } }
        assert.equal(400, status_of("after_plugins"))
      end)

      it("leaves such a gRPC request alone where none applies", function()
        grpc_reason, requirement = "escaped characters", { required = false }
        assert.is_nil(status_of("after_plugins"))
      end)

      it("rejects a request without a service before the decision: plugins may answer it", function()
        ctx.service = nil
        assert.equal(503, status_of("before_late_plugin", "aws-lambda"))
      end)

      it("leaves a request without a route to Kong", function()
        ctx.route, ctx.service, requirement = nil, nil, nil
        assert.is_nil(status_of("after_plugins"))
      end)
    end)
  end

  describe("(native)", function()
    before_each(function()
      guard.prepare()
    end)

    it("rejects a request for which this worker has not run the plugin", function()
      assert.equal(503, status_of("after_plugins"))
    end)

    it("makes a deferred decision at the end of access", function()
      decision.set_decider(function(of_request)
        decision.allow(of_request, nil)
      end)
      decision.defer(ctx, {})

      assert.is_nil(status_of("after_plugins"))
      assert.is_true(decision.is_allowed(ctx))
    end)

    it("makes a deferred decision before a plugin that may answer", function()
      decision.set_decider(function(of_request)
        decision.allow(of_request, nil)
      end)
      decision.defer(ctx, {})

      assert.is_nil(status_of("before_late_plugin", "proxy-cache"))
      assert.is_true(decision.is_allowed(ctx))
    end)

    it("does not take another plugin's note for a decision", function()
      run("after_plugins", ctx)
      kong.ctx.shared.mtls_policy = "allowed"
      assert.is_false(select(2, run("may_connect", ctx)))
    end)

    it("lets a buffered response be requested after the decision", function()
      decision.allow(ctx, nil)
      run("after_plugins", ctx)
      assert.is_nil(status_of("before_buffering"))
    end)

    it("rejects a buffered response whose method Kong would replace by GET", function()
      decision.allow(ctx, nil)
      run("after_plugins", ctx)
      world.method = "FOO"
      assert.equal(503, status_of("before_buffering"))
    end)

    it("has no default certificate of a filter", function()
      requirement = { required = true, default_certificate = "kong-client" }
      assert.is_nil(guard.default_certificate(ctx))
    end)
  end)

  describe("(filter)", function()
    before_each(function()
      is_filter = true
      guard.prepare()
    end)

    it("rejects a request whose filter chain this worker does not have", function()
      ctx.ran_wasm = nil
      assert.equal(503, status_of("after_plugins"))
    end)

    it("lets the filter decide on a request whose filter chain it has", function()
      ctx.ran_wasm = true
      assert.is_nil(status_of("after_plugins"))
    end)

    it("rejects a request when Kong cannot rebuild its filter chains: they may be outdated", function()
      ctx.ran_wasm, stale_reason = true, "a filter has rejected its configuration"
      assert.equal(503, status_of("after_plugins"))
      assert.matches(stale_reason, stand_ins.texts(world, "err")[1], 1, true)
    end)

    it("rejects a request with more headers than the filter sees", function()
      ctx.ran_wasm, has_many_headers = true, true
      assert.equal(431, status_of("after_plugins"))
    end)

    it("does not restrict requests to which no policy applies", function()
      requirement, stale_reason, has_many_headers = { required = false }, "outdated", true
      assert.is_nil(status_of("after_plugins"))
    end)

    it("keeps the keys that the policy hides out of logs", function()
      ctx.ran_wasm, requirement = true, { required = true, hidden_names = { "apikey" } }
      run("after_plugins", ctx)
      run("replacement", ctx)
      assert.same({ "apikey" }, redacted)
    end)

    it("rejects a buffered response, for which Kong skips the filter", function()
      ctx.ran_wasm = true
      run("after_plugins", ctx)
      assert.equal(503, status_of("before_buffering"))
    end)

    it("knows the certificate that the filter selects as a rule", function()
      requirement = { required = true, default_certificate = "kong-client" }
      assert.equal("kong-client", guard.default_certificate(ctx))
    end)
  end)

  it("reads once for each request whether a policy applies", function()
    guard.prepare()
    local first = requirement
    assert.is_true(guard.requires_decision(ctx))
    requirement = { required = false }
    assert.is_true(guard.requires_decision(ctx))
    assert.equal(first, ctx.mtls_requirement)
  end)
end)
