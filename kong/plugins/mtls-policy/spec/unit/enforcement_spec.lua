local stand_ins = require "kong.spec.stand_ins"


local PREFIX = "kong.plugins.upstream-mtls."


-- The library's decisions, Kong's consumers and the connection are replaced; what is done with them is tested.
describe("mtls-policy: enforcement", function()
  local world, ctx, enforcement, decision, decide_again
  local decisions, decided_for, selected, edited, forgotten, is_as_seen, body_read
  local body_error, consumer_error, authentication_error

  -- What the library returns for the next calls: `status` and the fields of the decision.
  local function answer_with(...)
    decisions = { ... }
  end

  local function next_decision(who)
    decided_for[#decided_for + 1] = who or "key"
    local decided = table.remove(decisions, 1) or error("not expected to be decided on", 0)
    return decided.status or 0, decided
  end

  local ALICE = { id = "a", username = "alice" }
  local BOB = { id = "b", username = "bob" }

  local function load(configuration)
    world = stand_ins.reset(configuration or { loaded_plugins = { ["upstream-mtls"] = true } })
    ctx = world.ctx
    ctx.balancer_data = { host = "dogcatcher.test", port = 443 }
    world.var.upstream_scheme = "https"
    world.var.request_uri, world.var.upstream_uri = "/", "/"
    decisions, decided_for, selected, edited, forgotten = {}, {}, {}, 0, 0
    is_as_seen, body_read, body_error, consumer_error, authentication_error = true, nil, nil, nil, nil

    stand_ins.replace("kong.plugins.mtls-policy.request", {
      text = function(text) return text end,
      decide = function(_, fields, who)
        body_read = fields
        return next_decision(who and who.username)
      end,
      reselect = function(_, who)
        return next_decision(who.username or "nobody")
      end,
      seen = function() return "GET", "/" end,
      is_as_seen = function() return is_as_seen end,
      answer = function(message) return "<" .. message .. ">", "text/plain" end,
    })
    stand_ins.replace("kong.plugins.mtls-policy.headers", {
      edit = function() edited = edited + 1 end,
    })
    stand_ins.replace("kong.plugins.mtls-policy.body", {
      read = function()
        if body_error then
          return nil, body_error, "unreadable"
        end

        return { fields = { apikey = "k" } }
      end,
      hide = function() end,
    })
    stand_ins.replace("kong.plugins.mtls-policy.caller", {
      of = function(_, decided)
        local consumer = decided.consumer
        return consumer and { established = { username = consumer.username }, consumer = consumer }
      end,
      prepare = function() end,
      forget_groups = function() forgotten = forgotten + 1 end,
      authenticate = function(_, caller)
        if authentication_error then
          return nil, authentication_error
        end

        kong.client.authenticate(caller.consumer, { id = "key" })
        return caller.consumer
      end,
    })
    stand_ins.replace(PREFIX .. "connection", {
      select = function(_, name)
        selected[#selected + 1] = name
        return name ~= "unknown", "unknown"
      end,
    })
    stand_ins.replace(PREFIX .. "consumer", {
      field = function(_, name)
        if name == "groups" then
          return kong.ctx.shared.authenticated_groups, consumer_error
        end

        return world.consumer and world.consumer[name]
      end,
      forget = function() end,
    })
    stand_ins.replace(PREFIX .. "patches.access_end", {
      add = function(fn) decide_again = fn end,
    })

    decision = require(PREFIX .. "decision")
    enforcement = require "kong.plugins.mtls-policy.enforcement"
    decision.set_decider(enforcement.decide_for_established)
    enforcement.prepare()
  end

  before_each(function()
    load()
  end)

  local function policy(wants)
    return { wants = wants or {}, key_names = { "apikey" }, is_key_name = { apikey = true }, hides_keys = false }
  end

  local function enforce(wants)
    return stand_ins.run(world, enforcement.enforce, ctx, policy(wants))
  end

  local function at_end()
    return stand_ins.run(world, decide_again, ctx)
  end

  describe("a decision", function()
    it("that allows edits headers, sets the consumer and selects the certificate", function()
      answer_with({ consumer = BOB, certificate = "kong-client" })
      assert.is_nil(enforce())

      assert.equal(1, edited)
      assert.equal(BOB, world.consumer)
      assert.is_true(decision.is_allowed(ctx))
      assert.equal("kong-client", decision.selected(ctx))
    end)

    it("that rejects is answered with its status, message and challenge", function()
      answer_with({ status = 401, message = "Unauthorized", challenge = "Key", reason = "unknown key" })
      local response = enforce()

      assert.equal(401, response.status)
      assert.equal("Unauthorized", response.message)
      assert.equal("Key", response.headers["WWW-Authenticate"])
      assert.is_false(decision.is_allowed(ctx))
      assert.equal(0, edited)
    end)

    it("that rejects with quotes in its message does not break the answer's format", function()
      answer_with({ status = 403, message = 'no "dogs"', reason = "rule 1" })
      local response = enforce()
      assert.equal(403, response.status)
      assert.equal('<no "dogs">', response.body)
    end)

    it("for a certificate is a 503 where upstream-mtls is not loaded", function()
      load({ loaded_plugins = {} })
      answer_with({ consumer = BOB, certificate = "kong-client" })
      assert.equal(503, enforce().status)
      assert.is_false(decision.is_allowed(ctx))
    end)

    it("is a 503 when Kong's consumer cannot be read", function()
      authentication_error = "no database"
      answer_with({ consumer = BOB })
      assert.equal(503, enforce().status)
      assert.is_false(decision.is_allowed(ctx))
    end)
  end)

  describe("a body", function()
    it("is read only where the policy wants it", function()
      answer_with({ consumer = BOB }, { consumer = BOB })
      enforce({})
      assert.is_nil(body_read)
      enforce({ body = true })
      assert.same({ apikey = "k" }, body_read)
    end)

    it("that cannot be read is rejected where keys are hidden", function()
      body_error = 400
      answer_with({ consumer = BOB, hide_in_body = true })
      assert.equal(400, enforce({ body = true }).status)
      assert.is_false(decision.is_allowed(ctx))
    end)

    it("that cannot be read holds no key otherwise", function()
      body_error = 400
      answer_with({ consumer = BOB, hide_in_body = false })
      assert.is_nil(enforce({ body = true }))
      assert.is_nil(body_read)
    end)
  end)

  describe("multiple authentication", function()
    -- As key-auth: with `anonymous` (logical OR) a consumer that another plugin has established stays.
    for name, case in pairs({
      ["keeps an established consumer with anonymous"] = { { anonymous = true }, { id = "c" }, "alice" },
      ["needs a key without anonymous"] = { {}, { id = "c" }, "key" },
      ["needs a key with anonymous and no credential"] = { { anonymous = true }, nil, "key" },
    }) do
      it(name, function()
        world.consumer, world.credential = ALICE, case[2]
        answer_with({ certificate = "kong-client" })
        enforce(case[1])

        assert.same({ case[3] }, decided_for)
      end)
    end

    it("defers the decision when other plugins authenticate", function()
      answer_with({ certificate = "kong-client" })
      enforce({ established = true })
      assert.same({}, decided_for)
      assert.is_true(decision.is_unfinished(ctx))

      world.consumer = ALICE
      stand_ins.run(world, decision.decide_deferred, ctx)
      assert.same({ "alice" }, decided_for)
      assert.is_true(decision.is_allowed(ctx))
    end)

    it("rejects with 503 when the established consumer's groups cannot be read", function()
      world.consumer, world.credential, consumer_error = ALICE, { id = "c" }, "no database"
      assert.equal(503, enforce({ anonymous = true }).status)
      assert.same({}, decided_for)
    end)
  end)

  describe("at the end of access, the rules", function()
    before_each(function()
      answer_with({ consumer = BOB, certificate = "kong-client" })
      enforce()
      decided_for = {}
    end)

    it("are not evaluated again when nothing has changed", function()
      assert.is_nil(at_end())
      assert.same({}, decided_for)
    end)

    it("are evaluated for the consumer that a later plugin has authenticated", function()
      world.consumer, world.credential = ALICE, { id = "c" }
      answer_with({ certificate = "kong-vet" })

      assert.is_nil(at_end())
      assert.same({ "alice" }, decided_for)
      assert.same({ "kong-vet" }, selected)
    end)

    it("are evaluated for the request that a later plugin has changed", function()
      is_as_seen = false
      answer_with({ certificate = "kong-vet" })

      assert.is_nil(at_end())
      assert.same({ "bob" }, decided_for)
      assert.same({ "kong-vet" }, selected)
    end)

    it("leave the certificate when they select the same", function()
      is_as_seen = false
      answer_with({ certificate = "kong-client" })
      assert.is_nil(at_end())
      assert.same({}, selected)
    end)

    it("may reject", function()
      world.consumer = ALICE
      answer_with({ status = 403, message = "Forbidden", reason = "rule 1" })
      assert.equal(403, at_end().status)
    end)

    it("reject with 503 when the certificate cannot be presented", function()
      world.consumer = ALICE
      answer_with({ certificate = "unknown" })
      assert.equal(503, at_end().status)
    end)

    it("reject with 503 when they select none any more", function()
      world.consumer = ALICE
      answer_with({})
      assert.equal(503, at_end().status)
    end)

    it("reject with 503 when the new consumer's groups cannot be read", function()
      world.consumer, consumer_error = ALICE, "no database"
      assert.equal(503, at_end().status)
    end)

    it("do not see the former consumer's groups", function()
      world.consumer = ALICE
      answer_with({ certificate = "kong-client" })
      at_end()
      assert.equal(1, forgotten)
    end)
  end)

  it("does nothing at the end of access where no policy applies", function()
    assert.is_nil(at_end())
  end)
end)
