local stand_ins = require "kong.spec.stand_ins"


describe("mtls-policy: policies", function()
  local world, policies, compiled, files, retained

  before_each(function()
    world = stand_ins.reset()
    compiled, files, retained = {}, {}, nil
    -- A policy with the realm "invalid" has a problem; so has one whose file has no content.
    stand_ins.replace("kong.plugins.mtls-policy.native", {
      C = {
        mtls_policy_wants = function()
          return {}
        end,
      },
      compile = function(document, consumers)
        compiled[#compiled + 1] = document
        local has_file = document:find("consumers_file", 1, true)
        local problem = document:find("invalid", 1, true) and "realm: invalid" or
                        has_file and not consumers and "consumers_file: not loaded" or nil
        return { document = document, consumers = consumers, rejects = problem ~= nil }, problem
      end,
    })
    stand_ins.replace("kong.plugins.mtls-policy.consumers", {
      file = function(path)
        files[path] = files[path] or { path = path }
        return files[path]
      end,
      retain = function(used)
        retained = used
      end,
    })
    policies = require "kong.plugins.mtls-policy.policies"
  end)

  local function conf(realm, changes)
    local config = { __plugin_id = "plugin", route_id = "route", realm = realm }
    for name, value in pairs(changes or {}) do
      config[name] = value
    end

    return config
  end

  -- As Kong does it: announces all configs, and then passes each to its requests.
  local function active(...)
    policies.configure({ ... })
    return policies.of((...)).handle
  end

  local function is_active(realm, handle)
    return not handle.rejects and handle.document:find('"' .. realm .. '"', 1, true) ~= nil
  end

  it("are compiled once", function()
    local config = conf("one")
    assert.is_true(is_active("one", active(config)))
    policies.of(config)
    policies.of(config)
    assert.equal(1, #compiled)
  end)

  it("are not compiled again when another plugin changes", function()
    local before = active(conf("one"))
    local after = active(conf("one"), conf("other", { __plugin_id = "another plugin" }))
    assert.equal(before, after)
    assert.equal(2, #compiled)
  end)

  it("are replaced by a change", function()
    active(conf("one"))
    assert.is_true(is_active("two", active(conf("two"))))
  end)

  it("keep the known consumers' objects as long as they are the same", function()
    local config = conf("one")
    policies.configure({ config })
    assert.equal(policies.of(config).callers, policies.of(config).callers)
  end)

  describe("that are invalid", function()
    it("reject all requests when there was none before, and are logged", function()
      assert.is_true(active(conf("invalid")).rejects)
      assert.matches("realm: invalid", stand_ins.texts(world, "err")[1])
    end)

    it("leave the last known good one in use", function()
      active(conf("one"))
      assert.is_true(is_active("one", active(conf("invalid"))))
      assert.matches("last known good", stand_ins.texts(world, "err")[1])
    end)

    it("leave it in use however often they are invalid", function()
      active(conf("one"))
      active(conf("invalid 1"))
      assert.is_true(is_active("one", active(conf("invalid 2"))))
    end)

    it("do not affect other plugins", function()
      local bad, good = conf("invalid"), conf("one", { __plugin_id = "another plugin" })
      policies.configure({ bad, good })
      assert.is_true(policies.of(bad).handle.rejects)
      assert.is_true(is_active("one", policies.of(good).handle))
    end)

    for name, changes in pairs({
      ["route"] = { route_id = "another route" },
      ["service"] = { service_id = "a service" },
      ["workspace"] = { __ws_id = "another workspace" },
    }) do
      it("do not get the last known good one of another " .. name, function()
        active(conf("one"))
        assert.is_true(active(conf("invalid", changes)).rejects)
      end)
    end

    it("do not get that of a plugin that was deleted", function()
      active(conf("one"))
      policies.configure({})
      assert.is_true(active(conf("invalid")).rejects)
    end)
  end)

  describe("with a consumers file", function()
    local function with_file(realm)
      return conf(realm, { consumers_file = "/consumers.yaml" })
    end

    it("reject all requests until it is loaded", function()
      local config = with_file("one")
      assert.is_true(active(config).rejects)

      files["/consumers.yaml"].active = "the consumers"
      policies.follow(files["/consumers.yaml"])
      local handle = policies.of(config).handle
      assert.is_false(handle.rejects)
      assert.equal("the consumers", handle.consumers)
    end)

    it("follow its content", function()
      local config = with_file("one")
      files["/consumers.yaml"] = { active = "the consumers" }
      active(config)
      files["/consumers.yaml"].active = "other consumers"
      policies.follow(files["/consumers.yaml"])
      assert.equal("other consumers", policies.of(config).handle.consumers)
    end)

    it("do not follow another file", function()
      local config = with_file("one")
      files["/consumers.yaml"] = { active = "the consumers" }
      active(config)
      policies.follow({ active = "other consumers" })
      assert.equal("the consumers", policies.of(config).handle.consumers)
    end)

    it("keep the files that are in use", function()
      active(with_file("one"))
      assert.same({ ["/consumers.yaml"] = true }, retained)
      active(conf("one"))
      assert.same({}, retained)
    end)
  end)
end)
