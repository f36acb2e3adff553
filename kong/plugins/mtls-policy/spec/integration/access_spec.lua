local gateway = require "kong.spec.gateway"
local new_pki = require("kong.spec.pki").new


local KEY = "a-secret-key"


for _, runtime in gateway.each_runtime() do
  local missing = gateway.missing(runtime)
  if missing then
    pending("mtls-policy (access, " .. runtime .. "): " .. missing)
  else
    for _, strategy in gateway.each_strategy() do
      describe("mtls-policy (access) [#" .. strategy .. " #" .. runtime .. "]", function()
        local pki, upstream, kong

        local function policy(changes)
          local config = {
            key_names = { "X-API-Key" },
            hide_credentials = true,
            consumers = {
              {
                username = "Model Citizen",
                custom_id = "mc-1",
                groups = { "citizens" },
                keys = {
                  { id = "main", sha256 = gateway.sha256(KEY) },
                  { id = "ended", sha256 = gateway.sha256("ended-key"), not_after = "2020-01-01T00:00:00Z" },
                  { id = "future", sha256 = gateway.sha256("future-key"), not_before = "2100-01-01T00:00:00Z" },
                },
              },
              { username = "vet", keys = { { id = "vet", sha256 = gateway.sha256("vet-key") } } },
              { username = "guest" },
            },
            client_certificate = "kong-client",
          }
          for name, value in pairs(changes or {}) do
            config[name] = value
          end

          return config
        end

        lazy_setup(function()
          pki = new_pki()
          upstream = gateway.start_upstream(pki)
          kong = gateway.new(strategy, runtime)

          local client, vet = pki:issue("kong-client"), pki:issue("kong-vet")
          local service = kong:insert_service(upstream)
          local function insert(name, changes)
            local route = kong:insert_route(name, service)
            kong:insert_policy(route, policy(changes))
            kong:insert_plugin("upstream-mtls", route, {
              client_certificates = {
                { name = "kong-client", cert_file = client.cert_file, key_file = client.key_file },
                { name = "kong-vet", cert_file = vet.cert_file, key_file = vet.key_file },
              },
              ca_file = pki.ca,
            })
          end

          insert("default")
          insert("shown", { hide_credentials = false, realm = "dogs" })
          insert("rules", {
            rules = {
              { match = { methods = { "DELETE" } }, deny = { message = "no deleting" } },
              { match = { path_prefix = "/closed" }, deny = { status = 404 } },
              { match = { consumers = { "vet" } }, client_certificate = "kong-vet" },
              { match = { headers = { ["X-Species"] = { "dog" } } }, client_certificate = "kong-vet" },
            },
          })
          insert("unknown-certificate", {
            rules = { { match = { consumers = { "vet" } }, client_certificate = "unknown" } },
          })
          insert("header-only", { key_in_query = false })
          insert("preflight", { run_on_preflight = false })
          insert("anonymous", { anonymous = "guest" })
          insert("nobody", { consumers = {} })

          local alone = kong:insert_route("without-upstream-mtls", service)
          kong:insert_policy(alone, policy())

          kong:start()
        end)

        lazy_teardown(function()
          kong:stop()
          upstream:stop()
          pki:remove()
        end)

        local function with_key(key, headers)
          headers = headers or {}
          headers["X-API-Key"] = key or KEY
          return { headers = headers }
        end

        describe("without a valid key", function()
          for name, case in pairs({
            ["no key"] = { {}, "No API key found in request" },
            ["an empty key"] = { with_key(""), "No API key found in request" },
            ["a wrong key"] = { with_key("wrong"), "Unauthorized" },
            ["a key that has ended"] = { with_key("ended-key"), "Unauthorized" },
            ["a key that is not valid yet"] = { with_key("future-key"), "Unauthorized" },
            ["the digest of a key"] = { with_key(gateway.sha256(KEY)), "Unauthorized" },
            ["two keys"] = { { path = "/?X-API-Key=" .. KEY .. "&X-API-Key=" .. KEY }, "Duplicate API key found" },
            ["a key under another name"] = { { headers = { apikey = KEY } }, "No API key found in request" },
          }) do
            it("rejects " .. name, function()
              local response = kong:request("default", case[1])
              assert.equal(401, response.status)
              assert.equal(case[2], response.json.message)
              assert.equal("Key", response.headers["WWW-Authenticate"])
            end)
          end

          it("names the realm", function()
            assert.equal('Key realm="dogs"', kong:request("shown").headers["WWW-Authenticate"])
          end)

          it("rejects a preflight request", function()
            assert.equal(401, kong:request("default", { method = "OPTIONS" }).status)
          end)

          it("lets a preflight request pass where run_on_preflight is false", function()
            assert.equal(200, kong:request("preflight", { method = "OPTIONS" }).status)
          end)

          it("rejects every key when there are no consumers", function()
            assert.equal(401, kong:request("nobody", with_key()).status)
          end)

          it("stands for the anonymous consumer", function()
            local response = kong:request("anonymous", with_key("wrong"))
            assert.equal(200, response.status)
            assert.equal("guest", response.json.headers["x-consumer-username"])
            assert.equal("true", response.json.headers["x-anonymous-consumer"])
          end)
        end)

        describe("with a valid key", function()
          it("presents the policy's certificate", function()
            local response = kong:request("default", with_key())
            assert.equal(200, response.status)
            assert.equal("CN=kong-client", response.json.client)
          end)

          it("sends the consumer's headers", function()
            local headers = kong:request("default", with_key()).json.headers
            assert.equal("Model Citizen", headers["x-consumer-username"])
            assert.equal("mc-1", headers["x-consumer-custom-id"])
            assert.equal("main", headers["x-credential-identifier"])
            assert.is_nil(headers["x-anonymous-consumer"])
          end)

          it("takes the key from the query", function()
            local response = kong:request("default", { path = "/?a=1&X-API-Key=" .. KEY .. "&b=%2F" })
            assert.equal(200, response.status)
            assert.equal("/?a=1&b=%2F", response.json.uri)
          end)

          it("does not look into the query where key_in_query is false", function()
            assert.equal(401, kong:request("header-only", { path = "/?X-API-Key=" .. KEY }).status)
          end)

          it("hides the key", function()
            local response = kong:request("default", with_key())
            assert.is_nil(response.body:find(KEY, 1, true))
          end)

          it("shows the key where hide_credentials is false", function()
            assert.equal(KEY, kong:request("shown", with_key()).json.headers["x-api-key"])
          end)

          for _, name in ipairs({
            "X-Consumer-Username", "X-Consumer-ID", "X-Consumer-Groups", "x_consumer_username", "X-Anonymous-Consumer",
            "X-Credential-Identifier",
          }) do
            it("replaces or removes what a client sends as " .. name, function()
              local response = kong:request("default", with_key(KEY, { [name] = "forged" }))
              assert.equal(200, response.status)
              assert.is_nil(response.body:find("forged", 1, true))
            end)
          end

          it("keeps its headers from what Connection names", function()
            local response = kong:request("default", with_key(KEY, { Connection = "close, X-Consumer-Username" }))
            assert.equal("Model Citizen", response.json.headers["x-consumer-username"])
          end)
        end)

        describe("rules", function()
          for name, case in pairs({
            ["select by consumer"] = { with_key("vet-key"), "CN=kong-vet" },
            ["select by header"] = { with_key(KEY, { ["X-Species"] = "dog" }), "CN=kong-vet" },
            ["leave the default for another header's value"] = {
              with_key(KEY, { ["X-Species"] = "cat" }), "CN=kong-client",
            },
            ["leave the default where none matches"] = { with_key(), "CN=kong-client" },
          }) do
            it(name, function()
              assert.equal(case[2], kong:request("rules", case[1]).json.client)
            end)
          end

          it("deny with a message", function()
            local response = kong:request("rules", { method = "DELETE", headers = { ["X-API-Key"] = KEY } })
            assert.equal(403, response.status)
            assert.equal("no deleting", response.json.message)
          end)

          it("deny with a status", function()
            assert.equal(404, kong:request("rules", { path = "/closed/x", headers = { ["X-API-Key"] = KEY } }).status)
          end)

          it("do not tell a client without a key what they deny", function()
            assert.equal(401, kong:request("rules", { method = "DELETE" }).status)
          end)
        end)

        describe("fails closed:", function()
          it("503 for a certificate that upstream-mtls does not have", function()
            assert.equal(503, kong:request("unknown-certificate", with_key("vet-key")).status)
            assert.equal(200, kong:request("unknown-certificate", with_key()).status)
          end)

          it("503 on a route without upstream-mtls", function()
            assert.equal(503, kong:request("without-upstream-mtls", with_key()).status)
            assert.equal(401, kong:request("without-upstream-mtls").status)
          end)
        end)

        it("logs no key that came in a header", function()
          kong:request("default", with_key("vet-key"))
          kong:request("default", with_key("wrong-key"))
          assert.equal("", kong:log_lines("vet-key"))
          assert.equal("", kong:log_lines("wrong-key"))
        end)
      end)
    end
  end
end
