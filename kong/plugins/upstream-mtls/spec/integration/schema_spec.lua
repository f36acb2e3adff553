local gateway = require "kong.spec.gateway"
local new_pki = require("kong.spec.pki").new


local missing = gateway.missing()
if missing then
  pending("upstream-mtls (schema): " .. missing)
  return
end


describe("upstream-mtls (schema)", function()
  local validate = require("spec.helpers").validate_plugin_config_schema
  local schema, pki, client

  lazy_setup(function()
    schema = require "kong.plugins.upstream-mtls.schema"
    pki = new_pki()
    client = pki:issue("kong-client")
  end)

  lazy_teardown(function()
    pki:remove()
  end)

  local function files(changes)
    local given = { name = "kong-client", cert_file = "/c.pem", key_file = "/c.key" }
    for name, value in pairs(changes or {}) do
      given[name] = value
    end

    return given
  end

  local function config(changes)
    local given = { client_certificates = { files() }, ca_file = "/ca.pem" }
    for name, value in pairs(changes or {}) do
      given[name] = value
    end

    return given
  end

  it("fills in the defaults", function()
    local entity = assert(validate(config(), schema))
    assert.equal(true, entity.config.tls_verify)
    assert.equal(1, entity.config.tls_verify_depth)
    assert.equal(10, entity.config.reload_interval)
    assert.equal(30, entity.config.expiry_warning)
  end)

  for name, changes in pairs({
    ["no client certificate at all"] = { client_certificates = {} },
    ["a default certificate"] = { client_certificate = "kong-client" },
    ["a certificate entity"] = {
      client_certificates = { { name = "a", certificate = { id = "4d2f8a7c-9c8e-4b64-8a34-0f6d0f5d4a11" } } },
    },
    ["CRLs"] = { crl_file = "/crl.pem" },
    ["a depth of 0"] = { tls_verify_depth = 0 },
  }) do
    it("accepts " .. name, function()
      assert(validate(config(changes), schema))
    end)
  end

  it("accepts an inline certificate", function()
    assert(validate(config({
      client_certificates = { { name = "kong-client", cert = client.cert, key = client.key } },
    }), schema))
  end)

  it("accepts references to a vault", function()
    assert(validate(config({
      client_certificates = { { name = "kong-client", cert = "{vault://env/cert}", key = "{vault://env/key}" } },
    }), schema))
  end)

  -- What is rejected, and the field that the error is about.
  for name, case in pairs({
    ["a certificate without a name"] = { { client_certificates = { { cert_file = "/c.pem", key_file = "/c.key" } } },
                                         "client_certificates" },
    ["an unusable name"] = { { client_certificates = { files({ name = "a b" }) } }, "client_certificates" },
    ["a relative path"] = { { client_certificates = { files({ cert_file = "c.pem" }) } }, "client_certificates" },
    ["a certificate without its key"] = { { client_certificates = { { name = "a", cert_file = "/c.pem" } } },
                                          "client_certificates" },
    ["two sources of one certificate"] = {
      { client_certificates = { files({ certificate = { id = "4d2f8a7c-9c8e-4b64-8a34-0f6d0f5d4a11" } }) } },
      "client_certificates",
    },
    ["an unknown field"] = { { client_certificats = {} }, "client_certificats" },
    ["a relative ca_file"] = { { ca_file = "ca.pem" }, "ca_file" },
    ["a depth of 65"] = { { tls_verify_depth = 65 }, "tls_verify_depth" },
    ["a reload_interval of 0"] = { { reload_interval = 0 }, "reload_interval" },
    ["a negative expiry_warning"] = { { expiry_warning = -1 }, "expiry_warning" },
    ["upstream_names"] = { { upstream_names = { "dogcatcher" } }, "upstream_names" },
    ["require_certificate_request"] = { { require_certificate_request = true }, "require_certificate_request" },
  }) do
    it("rejects " .. name, function()
      local entity, err = validate(config(case[1]), schema)
      assert.is_nil(entity)
      assert.is_not_nil(err.config[case[2]])
    end)
  end

  it("rejects two CAs: a file and entities", function()
    local entity, err = validate(config({ ca_certificates = { "4d2f8a7c-9c8e-4b64-8a34-0f6d0f5d4a11" } }), schema)
    assert.is_nil(entity)
    assert.matches("ca_file.*ca_certificates", require("cjson").encode(err))
  end)
end)
