local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: policy_lookup", function()
  local lookup, plugins, chains, version, version_error, reads, database_error, wasm
  local route, service

  local function key(...)
    local parts = { ... }
    for i = 1, 6 do
      parts[i] = tostring(parts[i] or "")
    end

    return table.concat(parts, ":")
  end

  local function dao(rows, new_key)
    return {
      cache_key = function(_, ...)
        return new_key(...)
      end,
      select_by_cache_key = function(_, cache_key)
        reads = reads + 1
        if database_error then
          return nil, database_error
        end

        return rows[cache_key]
      end,
    }
  end

  local function load(runtime)
    local world = stand_ins.reset({ loaded_plugins = { ["mtls-policy"] = runtime == "native" or nil } })
    plugins, chains, version, version_error, reads, database_error = {}, {}, "1", nil, 0, nil
    route, service = { id = "r", ws_id = "w" }, { id = "s" }
    stand_ins.replace("kong.tools.uuid", { uuid = function() return "new" end })
    wasm = {
      filters_by_name = { ["mtls-policy"] = runtime == "filter" or nil },
      -- Kong's own
      update_in_place = function(err)
        return err == nil, err
      end,
    }
    stand_ins.replace("kong.runloop.wasm", wasm)
    world.kong.core_cache = {
      get = function(_, name)
        if version_error then
          return nil, version_error
        end

        return name .. "=" .. version
      end,
    }
    world.kong.db.plugins = dao(plugins, key)
    world.kong.db.filter_chains = dao(chains, key)
    lookup = require "kong.plugins.upstream-mtls.policy_lookup"
    assert.equal(runtime ~= nil, lookup.prepare())
  end

  local function required()
    local found, err = lookup.requirement(route, service)
    return found and found.required, err
  end

  -- By the scopes of Kong's plugins iterator.
  local ON_ROUTE, ON_SERVICE, ON_BOTH = { "r" }, { nil, "s" }, { "r", "s" }
  local EVERYWHERE = {}

  local function add_plugin(scope, changes)
    local plugin = { name = "mtls-policy", enabled = true, config = {} }
    for name, value in pairs(changes or {}) do
      plugin[name] = value
    end

    plugins[key("mtls-policy", scope[1], scope[2], nil, nil, "w")] = plugin
  end

  local function add_chain(route_id, service_id, filter, enabled)
    chains[key(route_id, service_id, nil, nil, nil, "w")] = { enabled = enabled ~= false, filters = { filter } }
  end

  it("is not used where mtls-policy does not run", function()
    load(nil)
    assert.is_false(lookup.runs_as_filter())
  end)

  for _, runtime in ipairs({ "native", "filter" }) do
    describe("(" .. runtime .. ")", function()
      before_each(function()
        load(runtime)
      end)

      it("knows how mtls-policy runs", function()
        assert.equal(runtime == "filter", lookup.runs_as_filter())
      end)

      it("requires nothing without a policy", function()
        assert.is_false(required())
      end)

      for name, scope in pairs({ route = ON_ROUTE, service = ON_SERVICE, ["route and service"] = ON_BOTH }) do
        it("requires a decision with a plugin on the " .. name, function()
          add_plugin(scope)
          assert.is_true(required())
        end)
      end

      it("counts policies: a plugin of the route replaces that of the service, filters of both run", function()
        add_plugin(ON_ROUTE)
        add_plugin(ON_SERVICE)
        assert.equal(runtime == "filter" and 2 or 1, lookup.requirement(route, service).count)
      end)

      it("requires nothing with a disabled plugin", function()
        add_plugin(ON_ROUTE, { enabled = false })
        assert.is_false(required())
      end)

      it("requires nothing with the plugin of another route", function()
        add_plugin({ "another route" })
        assert.is_false(required())
      end)

      it("requires nothing with the plugin of another workspace", function()
        plugins[key("mtls-policy", "r", nil, nil, nil, "another workspace")] = { enabled = true, config = {} }
        assert.is_false(required())
      end)

      it("is an error when the database cannot be read, and is read again", function()
        database_error = "no database"
        local found, err = required()
        assert.is_nil(found)
        assert.equal("no database", err)

        database_error = nil
        add_plugin(ON_ROUTE)
        assert.is_true(required())
      end)

      it("is an error when there is no version to compare with", function()
        add_plugin(ON_ROUTE)
        assert.is_true(required())
        version_error = "no cache"
        local found, err = required()
        assert.is_nil(found)
        assert.equal("no cache", err)
      end)

      it("reads the database once for each route and version", function()
        required()
        local before = reads
        required()
        assert.equal(before, reads)
      end)

      it("reads the database again when the version has changed", function()
        assert.is_false(required())
        add_plugin(ON_ROUTE)
        -- the same version: nothing has told this worker of a change
        assert.is_false(required())
        version = "2"
        assert.is_true(required())
      end)

      it("reads the database for a route that is new to the worker", function()
        assert.is_false(required())
        route = { id = "r2", ws_id = "w" }
        add_plugin({ "r2" })
        assert.is_true(required())
      end)

      it("reads the database again when the route has another service", function()
        assert.is_false(required())
        service = { id = "s2" }
        add_plugin({ nil, "s2" })
        assert.is_true(required())
      end)

      it("requires a decision on a route without a service", function()
        service = nil
        assert.is_false(required())
        route = { id = "r2", ws_id = "w" }
        add_plugin({ "r2" })
        assert.is_true(required())
      end)

      for name, case in pairs({
        ["the names that hold keys"] = { { hide_credentials = true, key_names = { "a", "b" } }, { "a", "b" } },
        ["key-auth's name by default"] = { { hide_credentials = true }, { "apikey" } },
        ["nothing where keys are not hidden"] = { { key_names = { "a" } }, nil },
      }) do
        it("knows what is hidden from logs: " .. name, function()
          add_plugin(ON_ROUTE, { config = case[1] })
          assert.same(case[2], lookup.requirement(route, service).hidden_names)
        end)
      end

      it("knows the certificate that the policy selects as a rule", function()
        add_plugin(ON_ROUTE, { config = { client_certificate = "kong-client" } })
        assert.equal("kong-client", lookup.requirement(route, service).default_certificate)
      end)
    end)
  end

  it("requires a decision with a global plugin", function()
    load("native")
    add_plugin(EVERYWHERE)
    assert.is_true(required())
  end)

  it("requires nothing with a global entity where mtls-policy is a filter: Kong runs none globally", function()
    load("filter")
    add_plugin(EVERYWHERE)
    assert.is_false(required())
  end)

  it("follows the version of what runs", function()
    load("native")
    assert.is_false(required())
    load("filter")
    local asked
    kong.core_cache.get = function(_, name)
      asked = name
      return "1"
    end
    required()
    assert.equal("filter_chains:version", asked)
  end)

  describe("filter chains", function()
    before_each(function()
      load("filter")
    end)

    it("on the route or the service require a decision", function()
      add_chain("r", "", { name = "mtls-policy", enabled = true })
      assert.is_true(required())
      load("filter")
      add_chain("", "s", { name = "mtls-policy", enabled = true })
      assert.is_true(required())
    end)

    for name, change in pairs({
      ["a disabled chain"] = { { name = "mtls-policy", enabled = true }, false },
      ["a disabled filter"] = { { name = "mtls-policy", enabled = false } },
      ["another filter"] = { { name = "other", enabled = true } },
    }) do
      it("require nothing with " .. name, function()
        add_chain("r", "", change[1], change[2])
        assert.is_false(required())
      end)
    end

    it("that Kong could not rebuild are stale, until it can", function()
      assert.is_nil(lookup.stale_reason())
      wasm.update_in_place("a filter has rejected its configuration")
      assert.equal("a filter has rejected its configuration", lookup.stale_reason())
      wasm.update_in_place()
      assert.is_nil(lookup.stale_reason())
    end)

    it("of two policies hide the keys of both", function()
      local function hiding(name)
        local config = { hide_credentials = true, key_names = { name } }
        return { name = "mtls-policy", enabled = true, config = config }
      end

      add_chain("r", "", hiding("a"))
      add_chain("", "s", hiding("b"))
      local names = lookup.requirement(route, service).hidden_names
      table.sort(names)
      assert.same({ "a", "b" }, names)
    end)

    it("of two policies have no default certificate: it is unknown which one selects", function()
      add_chain("r", "", { name = "mtls-policy", enabled = true, config = { client_certificate = "a" } })
      add_chain("", "s", { name = "mtls-policy", enabled = true, config = { client_certificate = "b" } })
      local found = lookup.requirement(route, service)
      assert.is_true(found.required)
      assert.is_nil(found.default_certificate)
    end)
  end)
end)
