local gateway = require "kong.spec.gateway"
local new_pki = require("kong.spec.pki").new


local KEY = "key-of-bob"

-- Which client certificate each consumer has.
local CERTIFICATES = { alice = "kong-vet", bob = "kong-client", guest = "kong-guest" }

-- By the other plugin's turn, and by whether both are needed or either: who passes with which credentials. "none" is a
-- 401. These are key-auth's answers (Kong's documentation, "Multiple authentication"), and a test below holds key-auth
-- to them.
local EXPECTED = {
  before = {
    either = { neither = "guest", other = "alice", key = "bob", both = "alice" },
    all = { neither = "none", other = "none", key = "none", both = "bob" },
  },
  after = {
    either = { neither = "guest", other = "alice", key = "bob", both = "bob" },
    all = { neither = "none", other = "none", key = "none", both = "alice" },
  },
}

-- Whether they authenticate before key-auth, or after.
local TURNS = { jwt = "before", ["basic-auth"] = "after" }

-- The other plugin's credential, as a header.
local function authorization_of(other)
  if other == "jwt" then
    return "Bearer " .. require("kong.plugins.jwt.jwt_parser").encode({ iss = "alice-issuer" }, "alice-secret")
  end

  return "Basic " .. ngx.encode_base64("alice:alice-password")
end


for _, runtime in gateway.each_runtime() do
  local missing = gateway.missing(runtime)
  if missing then
    pending("mtls-policy (multiple authentication, " .. runtime .. "): " .. missing)
  else
    for _, strategy in gateway.each_strategy() do
      describe("mtls-policy (multiple authentication) [#" .. strategy .. " #" .. runtime .. "]", function()
        local pki, upstream, kong

        lazy_setup(function()
          pki = new_pki()
          upstream = gateway.start_upstream(pki)
          kong = gateway.new(strategy, runtime)

          local certificates = {}
          for _, name in pairs(CERTIFICATES) do
            local issued = pki:issue(name)
            certificates[#certificates + 1] = {
              name = name, cert_file = issued.cert_file, key_file = issued.key_file,
            }
          end

          local bp = kong.bp
          local alice = bp.consumers:insert({ username = "alice" })
          local bob = bp.consumers:insert({ username = "bob" })
          local guest = bp.consumers:insert({ username = "guest" })
          bp.jwt_secrets:insert({ consumer = { id = alice.id }, key = "alice-issuer", secret = "alice-secret" })
          bp.basicauth_credentials:insert({
            consumer = { id = alice.id }, username = "alice", password = "alice-password",
          })
          bp.keyauth_credentials:insert({ consumer = { id = bob.id }, key = KEY })

          local rules = {}
          for username, name in pairs(CERTIFICATES) do
            rules[#rules + 1] = { match = { consumers = { username } }, client_certificate = name }
          end

          local service = kong:insert_service(upstream)
          for other in pairs(TURNS) do
            for _, needed in ipairs({ "either", "all" }) do
              local either = needed == "either"
              for _, by in ipairs({ "key-auth", "mtls-policy" }) do
                local route = kong:insert_route(by .. "." .. other .. "." .. needed, service)
                kong:insert_plugin(other, route, { anonymous = either and guest.id or nil })
                kong:insert_plugin("upstream-mtls", route, { client_certificates = certificates, ca_file = pki.ca })
                if by == "key-auth" then
                  kong:insert_plugin("key-auth", route, { anonymous = either and guest.id or nil })
                else
                  kong:insert_policy(route, {
                    anonymous = either and "guest" or nil,
                    consumers = {
                      { username = "bob", keys = { { id = "main", sha256 = gateway.sha256(KEY) } } },
                      { username = "alice" },
                      { username = "guest" },
                    },
                    rules = rules,
                  })
                end
              end
            end
          end

          kong:start()
        end)

        lazy_teardown(function()
          kong:stop()
          upstream:stop()
          pki:remove()
        end)

        local function ask(by, other, needed, given)
          local headers = {}
          if given == "key" or given == "both" then
            headers.apikey = KEY
          end

          if given == "other" or given == "both" then
            headers.Authorization = authorization_of(other)
          end

          return kong:request(by .. "." .. other .. "." .. needed, { headers = headers })
        end

        local function consumer_of(response)
          return response.status == 401 and "none" or response.json.headers["x-consumer-username"] or response.body
        end

        for other, turn in pairs(TURNS) do
          for needed, by_credentials in pairs(EXPECTED[turn]) do
            for given, expected in pairs(by_credentials) do
              it(other .. " " .. turn .. " key-auth, " .. needed .. " needed, " .. given .. " given: " .. expected,
                 function()
                assert.equal(expected, consumer_of(ask("key-auth", other, needed, given)))
              end)
            end
          end

          -- A filter decides after all plugins.
          local policy_turn = runtime == "wasm" and "before" or turn
          for needed, by_credentials in pairs(EXPECTED[policy_turn]) do
            for given, expected in pairs(by_credentials) do
              it(other .. " " .. policy_turn .. " mtls-policy, " .. needed .. " needed, " .. given .. " given: " ..
                 expected, function()
                local response = ask("mtls-policy", other, needed, given)
                assert.equal(expected, consumer_of(response))
                if expected ~= "none" then
                  assert.equal("CN=" .. CERTIFICATES[expected], response.json.client)
                  assert.equal(expected == "guest" and "true" or nil, response.json.headers["x-anonymous-consumer"])
                end
              end)
            end
          end

          it(other .. ": an invalid credential does not make a valid key invalid", function()
            local response = kong:request("mtls-policy." .. other .. ".either",
                                          { headers = { apikey = KEY, Authorization = "Bearer wrong" } })
            assert.equal("bob", consumer_of(response))
            assert.equal("CN=kong-client", response.json.client)
          end)
        end
      end)
    end
  end
end
