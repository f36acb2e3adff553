local gateway = require "kong.spec.gateway"


-- A filter's config is checked against its `.meta.json` only, unless Kong finds the Lua plugin's schema: then it takes
-- that one for the filter, which needs the native library.
local BESIDE = "wasm beside the Lua plugin"


for _, runtime in ipairs({ "native", "wasm", BESIDE }) do
  local runs_as = runtime == BESIDE and "wasm" or runtime
  local missing = gateway.missing(runs_as) or runtime == BESIDE and gateway.missing("native")
  if missing then
    pending("mtls-policy (Admin API, " .. runtime .. "): " .. missing)
  else
    -- Without a database the Admin API takes whole configurations only: see changes_spec.lua of mtls-policy.
    for _, strategy in gateway.each_strategy({ "postgres" }) do
      describe("mtls-policy (Admin API) [#" .. strategy .. "] (" .. runtime .. ")", function()
        local uuid = require("kong.tools.uuid").uuid
        local kong, route, id

        lazy_setup(function()
          kong = gateway.new(strategy, runs_as)
          route = kong:insert_route("route", kong.bp.services:insert({ host = "localhost" }))
          kong:start({ has_lua_schema = runtime == BESIDE })
        end)

        lazy_teardown(function()
          kong:stop()
        end)

        before_each(function()
          id = uuid()
        end)

        after_each(function()
          kong:admin("DELETE", "/plugins/" .. id)
        end)

        local function put(config)
          return kong:admin("PUT", "/plugins/" .. id,
                            { name = "mtls-policy", route = { id = route.id }, config = config })
        end

        local function policy(changes)
          local config = {
            key_names = { "X-API-Key" },
            consumers = { { username = "alice", keys = { { id = "main", sha256 = gateway.sha256("a") } } } },
          }
          for name, value in pairs(changes or {}) do
            config[name] = value
          end

          return config
        end

        it("accepts a policy and shows it", function()
          local response = put(policy())
          assert.equal(200, response.status, response.body)
          local config = kong:admin("GET", "/plugins/" .. id).json.config
          assert.same({ "X-API-Key" }, config.key_names)
          assert.equal("alice", config.consumers[1].username)
        end)

        it("rejects a field of the wrong type", function()
          assert.equal(400, put(policy({ hide_credentials = "yes" })).status)
        end)

        it("rejects an unknown field", function()
          assert.equal(400, put(policy({ key_name = { "apikey" } })).status)
        end)

        it("shows empty lists as lists", function()
          assert.equal(200, put(policy({ consumers = require("cjson").empty_array })).status)
          assert.matches('"consumers":[[{][]}]', kong:admin("GET", "/plugins/" .. id).body)
        end)

        if runtime ~= "wasm" then
          it("rejects an invalid policy, and names the field and the place", function()
            local response = put(policy({
              rules = { { match = { groups = { "vets" } }, client_certificate = "kong-vet" } },
            }))
            assert.equal(400, response.status)
            assert.matches("rules[0].match.groups[0]", response.json.fields.config.rules, 1, true)
          end)

          it("keeps the policy that an invalid one should have replaced", function()
            assert.equal(200, put(policy()).status)
            assert.equal(400, put(policy({ anonymous = "" })).status)
            assert.same({ "X-API-Key" }, kong:admin("GET", "/plugins/" .. id).json.config.key_names)
          end)

          it("shows the effective values", function()
            local config = put(policy()).json.config
            assert.equal("api_key", config.authentication)
            assert.equal(true, config.key_in_header)
            assert.equal(false, config.hide_credentials)
          end)

          it("merges a PATCH", function()
            assert.equal(200, put(policy()).status)
            local response = kong:admin("PATCH", "/plugins/" .. id, { config = { realm = "dogs" } })
            assert.equal(200, response.status, response.body)
            assert.equal("dogs", response.json.config.realm)
            assert.equal("alice", response.json.config.consumers[1].username)
          end)
        else
          it("replaces the whole config by a PATCH, as Kong does for filters", function()
            assert.equal(200, put(policy()).status)
            local response = kong:admin("PATCH", "/plugins/" .. id, { config = { realm = "dogs" } })
            assert.equal(200, response.status, response.body)
            assert.same({ realm = "dogs" }, response.json.config)
          end)

          it("accepts an invalid policy, whose route is closed: see changes_spec.lua", function()
            assert.equal(200, put(policy({ anonymous = "" })).status)
          end)
        end
      end)
    end
  end
end
