local gateway = require "kong.spec.gateway"
local new_pki = require("kong.spec.pki").new


local missing = gateway.missing()
if missing then
  pending("upstream-mtls (access): " .. missing)
  return
end


for _, strategy in gateway.each_strategy() do
  describe("upstream-mtls (access) [#" .. strategy .. "]", function()
    local pki, upstream, kong
    local client_serial

    lazy_setup(function()
      pki = new_pki()
      upstream = gateway.start_upstream(pki)
      kong = gateway.new(strategy)

      local client, vet = pki:issue("kong-client"), pki:issue("kong-vet")
      local other = pki:issue("other")
      pki:issue("other-ca", { extensions = "authority" })
      pki:issue("expired", { not_before = os.time() - 1000000, not_after = os.time() - 86400 })

      local service = kong:insert_service(upstream)
      local certificates = {
        { name = "kong-client", cert_file = client.cert_file, key_file = client.key_file },
        { name = "kong-vet", cert_file = vet.cert_file, key_file = vet.key_file },
        { name = "missing", cert_file = pki:path("missing.pem"), key_file = pki:path("missing.key") },
        { name = "expired", cert_file = pki:path("expired.pem"), key_file = pki:path("expired.key") },
        { name = "mismatch", cert_file = client.cert_file, key_file = other.key_file },
      }

      local function insert(name, changes, of_service)
        local config = { client_certificates = certificates, ca_file = pki.ca, tls_verify_depth = 1 }
        for field, value in pairs(changes or {}) do
          config[field] = value
        end

        config.ca_file = not config.ca_certificates and config.ca_file or nil

        kong:insert_plugin("upstream-mtls", kong:insert_route(name, of_service or service), config)
      end

      for _, each in ipairs(certificates) do
        insert(each.name, { client_certificate = each.name })
      end

      insert("nothing")
      insert("other-ca", { client_certificate = "kong-client", ca_file = pki:path("other-ca.pem") })
      insert("missing-ca", { client_certificate = "kong-client", ca_file = pki:path("missing-ca.pem") })
      insert("plain", { client_certificate = "kong-client" },
             kong:insert_service(upstream, { protocol = "http", port = upstream.port }))

      local certificate = kong.bp.certificates:insert({ cert = client.cert, key = client.key })
      local authority = kong.bp.ca_certificates:insert({ cert = pki:read("ca.pem") })
      insert("entity", {
        client_certificates = { { name = "of-kong", certificate = { id = certificate.id } } },
        client_certificate = "of-kong",
        ca_certificates = { authority.id },
      })
      insert("of-service", nil, kong:insert_service(upstream, { client_certificate = { id = certificate.id } }))
      insert("inline", {
        client_certificates = { { name = "inline", cert = vet.cert, key = vet.key } },
        client_certificate = "inline",
      })

      kong:insert_route("without-plugin", service)
      kong:start()
      client_serial = kong:request("kong-client").json.serial
    end)

    lazy_teardown(function()
      kong:stop()
      upstream:stop()
      pki:remove()
    end)

    for _, name in ipairs({ "kong-client", "kong-vet" }) do
      it("presents the default certificate: " .. name, function()
        local response = kong:request(name)
        assert.equal(200, response.status)
        assert.equal("CN=" .. name, response.json.client)
      end)
    end

    it("presents nothing without a default", function()
      local response = kong:request("nothing")
      assert.equal(200, response.status)
      assert.is_nil(response.json.client)
    end)

    it("presents nothing on a route without the plugin", function()
      kong:request("kong-client")
      local response = kong:request("without-plugin")
      -- without a CA the upstream is not verified either
      assert.equal(200, response.status)
      assert.is_nil(response.json.client)
    end)

    it("presents a certificate entity, and verifies with a CA certificate entity", function()
      local response = kong:request("entity")
      assert.equal(200, response.status)
      assert.equal(client_serial, response.json.serial)
    end)

    it("presents the service's own certificate without a default", function()
      local response = kong:request("of-service")
      assert.equal(200, response.status)
      assert.equal(client_serial, response.json.serial)
    end)

    it("presents an inline certificate", function()
      assert.equal("CN=kong-vet", kong:request("inline").json.client)
    end)

    for _, name in ipairs({ "missing", "expired", "mismatch" }) do
      it("answers 503 for a certificate that is not usable: " .. name, function()
        local response = kong:request(name)
        assert.equal(503, response.status)
        assert.matches("client certificate", response.json.message)
        assert.matches(name, kong:log_lines("[error]"))
      end)
    end

    it("answers 503 when there is no CA to verify with", function()
      assert.equal(503, kong:request("missing-ca").status)
    end)

    it("answers 502 when another CA has issued the upstream's certificate", function()
      assert.equal(502, kong:request("other-ca").status)
    end)

    it("presents nothing to an upstream without TLS", function()
      local response = kong:request("plain")
      assert.equal(200, response.status)
      assert.equal("http", response.json.scheme)
    end)

    it("keeps the connections of different certificates apart", function()
      local by_connection, reused = {}, 0
      for i = 1, 30 do
        local name = i % 3 == 0 and "kong-vet" or i % 3 == 1 and "kong-client" or "nothing"
        local response = kong:request(name)
        assert.equal(name ~= "nothing" and "CN=" .. name or nil, response.json.client)
        local connection = response.json.connection
        reused = by_connection[connection] and reused + 1 or reused
        assert.equal(by_connection[connection] or name, name)
        by_connection[connection] = name
      end

      -- else nothing was tested
      assert.is_true(reused > 10)
    end)

    it("names no private key in the log", function()
      for _, name in ipairs({ "kong-client", "other" }) do
        local secret = pki:read(name .. ".key"):match("\n(%S+)\n")
        assert.equal("", kong:log_lines(secret))
      end
    end)
  end)
end
