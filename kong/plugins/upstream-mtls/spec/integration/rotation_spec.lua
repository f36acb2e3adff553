local gateway = require "kong.spec.gateway"
local new_pki = require("kong.spec.pki").new


local missing = gateway.missing()
if missing then
  pending("upstream-mtls (rotation): " .. missing)
  return
end


-- Seconds between two looks at the files.
local INTERVAL = 0.1


for _, strategy in gateway.each_strategy() do
  describe("upstream-mtls (rotation) [#" .. strategy .. "]", function()
    local pki, upstream, kong, certificate

    lazy_setup(function()
      pki = new_pki()
      upstream = gateway.start_upstream(pki)
      kong = gateway.new(strategy)

      local client, entity = pki:issue("kong-client"), pki:issue("entity")
      certificate = kong.bp.certificates:insert({ cert = entity.cert, key = entity.key })
      local service = kong:insert_service(upstream)
      for name, given in pairs({
        files = { name = "current", cert_file = client.cert_file, key_file = client.key_file },
        entity = { name = "current", certificate = { id = certificate.id } },
      }) do
        pki:run("cp ca.pem anchors-" .. name .. ".pem")
        kong:insert_plugin("upstream-mtls", kong:insert_route(name, service), {
          client_certificates = { given },
          client_certificate = "current",
          ca_file = pki:path("anchors-" .. name .. ".pem"),
          reload_interval = INTERVAL,
        })
      end

      kong:start()
    end)

    lazy_teardown(function()
      kong:stop()
      upstream:stop()
      pki:remove()
    end)

    local function serial_of(host)
      local response = kong:request(host)
      assert.equal(200, response.status, response.body)
      return response.json.serial
    end

    -- Replaces the files by those of another certificate, the way that most tools do it: one after the other.
    local function rotate(name)
      pki:write("kong-client.pem", pki:read(name .. ".pem"))
      pki:write("kong-client.key", pki:read(name .. ".key"))
      pki:run("chmod 644 kong-client.key")
    end

    local function log_has(text)
      return function()
        return kong:log_lines(text) ~= ""
      end
    end

    describe("of files", function()
      it("takes over a new certificate", function()
        local before = serial_of("files")
        pki:issue("renewed", { common_name = "kong-client" })
        rotate("renewed")

        kong:eventually("files", nil, function(response)
          assert.equal(200, response.status)
          return response.json.serial ~= before
        end)
      end)

      it("does not use connections of the old certificate any more", function()
        local before = serial_of("files")
        pki:issue("renewed-again", { common_name = "kong-client" })
        rotate("renewed-again")
        kong:eventually("files", nil, function(response)
          return response.json.serial ~= before
        end)

        for _ = 1, 20 do
          assert.not_equal(before, serial_of("files"))
        end
      end)

      it("keeps the last good certificate when a file becomes invalid", function()
        local before = serial_of("files")
        local good = pki:read("kong-client.pem")
        pki:write("kong-client.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        kong:eventually("files", nil, log_has("certificate 1 cannot be parsed"))

        assert.equal(before, serial_of("files"))
        pki:write("kong-client.pem", good)
      end)

      it("keeps the last good certificate when a file is removed", function()
        local before = serial_of("files")
        local good = pki:read("kong-client.key")
        pki:run("rm kong-client.key")
        kong:eventually("files", nil, log_has("kong-client.key: No such file"))

        assert.equal(before, serial_of("files"))
        pki:write("kong-client.key", good)
        pki:run("chmod 644 kong-client.key")
      end)

      it("does not exchange a valid certificate for an expired one", function()
        local before = serial_of("files")
        pki:issue("expired", { not_before = os.time() - 1000000, not_after = os.time() - 86400 })
        rotate("expired")
        kong:eventually("files", nil, log_has("expired at"))

        assert.equal(before, serial_of("files"))
      end)

      it("takes over a good certificate after an unusable one", function()
        local before = serial_of("files")
        pki:issue("repaired", { common_name = "kong-client" })
        rotate("repaired")

        kong:eventually("files", nil, function(response)
          return response.json.serial ~= before
        end)
      end)
    end)

    describe("of the CA", function()
      it("rejects the upstream once its CA is no longer trusted", function()
        assert.equal(200, kong:request("entity").status)
        pki:issue("other-ca", { extensions = "authority" })
        pki:write("anchors-entity.pem", pki:read("other-ca.pem"))

        kong:eventually("entity", nil, function(response)
          return response.status == 502
        end)
        pki:write("anchors-entity.pem", pki:read("ca.pem"))
        kong:eventually("entity", nil, function(response)
          return response.status == 200
        end)
      end)
    end)

    if strategy ~= "off" then
      describe("of a certificate entity", function()
        it("takes over what the Admin API changes", function()
          local before = serial_of("entity")
          local renewed = pki:issue("entity-renewed", { common_name = "entity" })
          local response = kong:admin("PATCH", "/certificates/" .. certificate.id,
                                      { cert = renewed.cert, key = renewed.key })
          assert.equal(200, response.status, response.body)

          kong:eventually("entity", nil, function(answer)
            return answer.status == 200 and answer.json.serial ~= before
          end)
        end)
      end)
    end
  end)
end
