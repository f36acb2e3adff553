local gateway = require "kong.spec.gateway"
local new_pki = require("kong.spec.pki").new


local missing = gateway.missing()
if missing then
  pending("upstream-mtls (Admin API): " .. missing)
  return
end


-- Without a database the Admin API takes whole configurations only: see changes_spec.lua of mtls-policy.
for _, strategy in gateway.each_strategy({ "postgres" }) do
  describe("upstream-mtls (Admin API) [#" .. strategy .. "]", function()
    local uuid = require("kong.tools.uuid").uuid
    local pki, kong, route, certificate, authority

    lazy_setup(function()
      pki = new_pki()
      local client = pki:issue("kong-client")
      kong = gateway.new(strategy)
      route = kong:insert_route("route", kong.bp.services:insert({ host = "localhost" }))
      certificate = kong.bp.certificates:insert({ cert = client.cert, key = client.key })
      authority = kong.bp.ca_certificates:insert({ cert = pki:read("ca.pem") })
      kong:start()
    end)

    lazy_teardown(function()
      kong:stop()
      pki:remove()
    end)

    local id
    before_each(function()
      id = uuid()
    end)

    after_each(function()
      kong:admin("DELETE", "/plugins/" .. id)
    end)

    local function put(config)
      return kong:admin("PUT", "/plugins/" .. id,
                        { name = "upstream-mtls", route = { id = route.id }, config = config })
    end

    local function with_entities(certificate_id, authority_id)
      return {
        client_certificates = { { name = "kong-client", certificate = { id = certificate_id } } },
        ca_certificates = { authority_id },
      }
    end

    it("shows the effective values", function()
      local response = put(with_entities(certificate.id, authority.id))
      assert.equal(200, response.status, response.body)

      local config = kong:admin("GET", "/plugins/" .. id).json.config
      assert.equal(true, config.tls_verify)
      assert.equal(1, config.tls_verify_depth)
      assert.equal(10, config.reload_interval)
    end)

    it("rejects the id of a certificate that does not exist", function()
      local unknown = uuid()
      local response = put(with_entities(unknown, authority.id))
      assert.equal(400, response.status)
      assert.matches(unknown, response.body, 1, true)
    end)

    it("rejects the id of a CA certificate that does not exist", function()
      local unknown = uuid()
      local response = put(with_entities(certificate.id, unknown))
      assert.equal(400, response.status)
      assert.matches(unknown, response.body, 1, true)
    end)

    it("rejects the deletion of a certificate in use", function()
      assert.equal(200, put(with_entities(certificate.id, authority.id)).status)
      local response = kong:admin("DELETE", "/certificates/" .. certificate.id)
      assert.equal(400, response.status)
      assert.matches(id, response.body, 1, true)
      assert.equal(200, kong:admin("GET", "/certificates/" .. certificate.id).status)
    end)

    it("deletes a certificate that is not in use any more", function()
      local spare = pki:issue("spare")
      local created = kong:admin("POST", "/certificates", { cert = spare.cert, key = spare.key }).json
      assert.equal(200, put(with_entities(created.id, authority.id)).status)
      assert.equal(204, kong:admin("DELETE", "/plugins/" .. id).status)
      assert.equal(204, kong:admin("DELETE", "/certificates/" .. created.id).status)
    end)

    it("merges a PATCH", function()
      assert.equal(200, put(with_entities(certificate.id, authority.id)).status)
      local response = kong:admin("PATCH", "/plugins/" .. id, { config = { client_certificate = "kong-client" } })
      assert.equal(200, response.status, response.body)
      assert.equal("kong-client", response.json.config.client_certificate)
      assert.equal(authority.id, response.json.config.ca_certificates[1])
    end)

    it("rejects a default that is not among the certificates", function()
      local config = with_entities(certificate.id, authority.id)
      config.client_certificate = "kong-vet"
      local response = put(config)
      assert.equal(400, response.status)
      assert.matches("kong-vet", response.body, 1, true)
    end)
  end)
end
