local gateway = require "kong.spec.gateway"
local new_pki = require("kong.spec.pki").new


local KEY, OTHER_KEY = "a-secret-key", "another-secret-key"

-- Requests after a change; each on a connection of its own, so that all workers get some.
local MANY = 60


for _, runtime in gateway.each_runtime() do
  local missing = gateway.missing(runtime)
  if missing then
    pending("mtls-policy (changes, " .. runtime .. "): " .. missing)
  else
    for _, strategy in gateway.each_strategy() do
      describe("mtls-policy (changes) [#" .. strategy .. " #" .. runtime .. "]", function()
        local uuid = require("kong.tools.uuid").uuid
        local pki, upstream, kong
        local services, upstream_mtls

        lazy_setup(function()
          pki = new_pki()
          upstream = gateway.start_upstream(pki)
          kong = gateway.new(strategy, runtime)
          kong:start({
            nginx_main_worker_processes = 2,
            -- Kong's default
            worker_consistency = "eventual",
            worker_state_update_frequency = 0.1,
            db_update_frequency = 0.1,
          })

          local client = pki:issue("kong-client")
          services = {
            { id = uuid(), protocol = "https", host = "localhost", port = upstream.tls_port, path = "/" },
          }
          upstream_mtls = {
            client_certificates = {
              { name = "kong-client", cert_file = client.cert_file, key_file = client.key_file },
            },
            client_certificate = "kong-client",
            ca_file = pki.ca,
          }
        end)

        lazy_teardown(function()
          kong:stop()
          upstream:stop()
          pki:remove()
        end)

        local function policy(changes)
          local config = {
            consumers = {
              { username = "Model Citizen", keys = { { id = "main", sha256 = gateway.sha256(KEY) } } },
            },
            client_certificate = "kong-client",
          }
          for name, value in pairs(changes or {}) do
            config[name] = value
          end

          return config
        end

        -- Entities for these routes: by name, the config of their policy; false for a route without one.
        local ids = setmetatable({}, { __index = function(known, name)
          known[name] = { route = uuid(), policy = uuid(), upstream_mtls = uuid() }
          return known[name]
        end })

        local function entities(policies)
          local routes, plugins = {}, {}
          for name, config in pairs(policies) do
            local id = ids[name]
            local route = { id = id.route }
            routes[#routes + 1] = { id = id.route, name = name, hosts = { name .. ".test" }, service = services[1] }
            plugins[#plugins + 1] = {
              id = id.upstream_mtls, name = "upstream-mtls", route = route, config = upstream_mtls,
            }
            if config then
              plugins[#plugins + 1] = { id = id.policy, name = "mtls-policy", route = route, config = config }
            end
          end

          return { services = services, routes = routes, plugins = plugins }
        end

        local function apply(policies)
          local response = kong:apply(entities(policies))
          assert.equal(201, response.status, response.body)
        end

        local function with_key(key)
          return { headers = { apikey = key } }
        end

        local function never_passes(host, request)
          for _ = 1, MANY do
            local status = kong:request(host, request).status
            assert.is_true(status == 401 or status == 503, "got " .. status)
          end
        end

        it("a new route's policy holds on every worker", function()
          for i = 1, 5 do
            local name = "new-" .. i
            apply({ [name] = policy() })
            kong:settle(name, nil, 401)

            never_passes(name)
            assert.equal(200, kong:request(name, with_key(KEY)).status)
          end
        end)

        it("a new key is accepted, and the old one no more", function()
          apply({ rotated = policy() })
          kong:settle("rotated", with_key(KEY), 200)
          apply({
            rotated = policy({
              consumers = {
                { username = "Model Citizen", keys = { { id = "new", sha256 = gateway.sha256(OTHER_KEY) } } },
              },
            }),
          })
          kong:settle("rotated", with_key(OTHER_KEY), 200)
          kong:settle("rotated", with_key(KEY), 401)

          never_passes("rotated", with_key(KEY))
        end)

        it("an empty list of consumers revokes all keys", function()
          apply({ emptied = policy() })
          kong:settle("emptied", with_key(KEY), 200)
          -- as the Admin API and Kong's declarative format may have it
          apply({ emptied = policy({ consumers = require("cjson").empty_array }) })
          kong:settle("emptied", with_key(KEY), 401)

          never_passes("emptied", with_key(KEY))
        end)

        it("an invalid policy affects no other route", function()
          local invalid = policy({
            rules = { { match = { groups = { "nobody" } }, client_certificate = "kong-client" } },
          })
          apply({ good = policy(), bad = policy() })
          kong:settle("bad", with_key(KEY), 200)

          local response = kong:apply(entities({ good = policy(), bad = invalid }))
          local bad = invalid
          if response.status == 201 then
            kong:settle("bad", with_key(KEY), 503)
          else
            -- rejected: what was there before stays
            assert.equal(400, response.status)
            assert.matches("groups", response.body)
            bad = policy()
          end

          -- later changes of other routes take effect, and new routes have their policies
          apply({ good = policy({ consumers = require("cjson").empty_array }), bad = bad, new = policy() })
          kong:settle("good", with_key(KEY), 401)
          kong:settle("new", nil, 401)
          never_passes("good", with_key(KEY))
          never_passes("new")
          never_passes("bad")

          -- and so does a repair
          apply({ bad = policy() })
          kong:settle("bad", with_key(KEY), 200)
        end)

        it("a route without its policy is open, and closed again with it", function()
          apply({ toggled = policy() })
          kong:settle("toggled", nil, 401)
          apply({ toggled = false })
          kong:settle("toggled", nil, 200)
          apply({ toggled = policy() })
          kong:settle("toggled", nil, 401)

          never_passes("toggled")
        end)

        it("a deleted policy does not come back with its id", function()
          apply({ first = policy() })
          kong:settle("first", with_key(KEY), 200)
          apply({})
          kong:settle("first", with_key(KEY), 404)

          ids.second = { route = uuid(), policy = ids.first.policy, upstream_mtls = uuid() }
          local config = policy({ consumers = require("cjson").empty_array })
          if runtime == "native" then
            config.consumers, config.consumers_file = nil, pki:path("missing.yaml")
          end

          apply({ second = config })
          kong:settle("second", with_key(KEY), runtime == "native" and 503 or 401)
          never_passes("second", with_key(KEY))
        end)
      end)
    end
  end
end
