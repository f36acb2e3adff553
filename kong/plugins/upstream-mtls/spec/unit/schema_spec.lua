local new_pki = require("kong.spec.pki").new
local stand_ins = require "kong.spec.stand_ins"


-- What Kong's own checks (types, one_of, between, entity checks by name) do is tested in spec/integration. Here are the
-- plugin's own functions.
describe("upstream-mtls: schema", function()
  local schema, world

  -- The definition of a field, by its path in the config.
  local function field(...)
    local definition
    local fields = schema.fields
    for _, name in ipairs({ "config", ... }) do
      definition = nil
      for _, each in ipairs(fields) do
        definition = definition or each[name]
      end

      assert.is_table(definition, "no field " .. name)
      fields = definition.fields or definition.elements and definition.elements.fields
    end

    return definition
  end

  -- Runs the entity checks of a record that are functions.
  local function check(record, value)
    for _, each in ipairs(record.entity_checks) do
      local custom = each.custom_entity_check
      if custom then
        local ok, err = custom.fn(value)
        if not ok then
          return nil, err
        end
      end
    end

    return true
  end

  local function check_config(changes)
    local config = {
      client_certificates = { { name = "kong-client", cert_file = "/c.pem", key_file = "/c.key" } },
      tls_verify = true,
      tls_verify_depth = 1,
      ca_file = "/ca.pem",
    }
    for name, value in pairs(changes) do
      config[name] = value
      if value == stand_ins.NONE then
        config[name] = nil
      end
    end

    return check(field(), config)
  end

  before_each(function()
    world = stand_ins.reset()
    schema = require "kong.plugins.upstream-mtls.schema"
  end)

  it("is the schema of upstream-mtls", function()
    assert.equal("upstream-mtls", schema.name)
  end)

  describe("defaults", function()
    for name, value in pairs({ tls_verify = true, tls_verify_depth = 1, reload_interval = 10, expiry_warning = 30 }) do
      it(name .. " is " .. tostring(value), function()
        assert.equal(value, field(name).default)
        assert.is_true(field(name).required)
      end)
    end
  end)

  describe("paths", function()
    for _, name in ipairs({ "ca_file", "crl_file" }) do
      it(name .. " must be absolute", function()
        local validate = field(name).custom_validator
        assert.is_true(validate("/etc/kong/x.pem"))
        local ok, err = validate("x.pem")
        assert.is_nil(ok)
        assert.equal("must be an absolute path", err)
      end)
    end

    for _, name in ipairs({ "cert_file", "key_file" }) do
      it("client_certificates." .. name .. " must be absolute", function()
        local validate = field("client_certificates", name).custom_validator
        assert.is_true(validate("/etc/kong/x.pem"))
        assert.is_nil((validate("./x.pem")))
      end)
    end
  end)

  describe("reload_interval", function()
    for _, seconds in ipairs({ 0.1, 10, 86400 }) do
      it("accepts " .. seconds, function()
        assert.is_true(field("reload_interval").custom_validator(seconds))
      end)
    end

    for _, seconds in ipairs({ -1, 0, 0.09, 86401 }) do
      it("rejects " .. seconds, function()
        local ok, err = field("reload_interval").custom_validator(seconds)
        assert.is_nil(ok)
        assert.matches("between 0.1 and 86400", err)
      end)
    end
  end)

  describe("names of client certificates", function()
    for _, name in ipairs({ "kong-client", "A.b_c-9" }) do
      it("may be " .. name, function()
        assert.matches(field("client_certificates", "name").match, name)
      end)
    end

    for _, name in ipairs({ "", "a b", "a/b", "a\n", "ä" }) do
      it("may not be '" .. name .. "'", function()
        assert.is_nil(name:match(field("client_certificates", "name").match))
      end)
    end

    it("must be unique, and the error has both positions", function()
      local ok, err = check_config({
        client_certificates = {
          { name = "a", cert_file = "/a.pem", key_file = "/a.key" },
          { name = "b", cert_file = "/b.pem", key_file = "/b.key" },
          { name = "a", cert_file = "/c.pem", key_file = "/c.key" },
        },
      })
      assert.is_nil(ok)
      assert.matches('"a".*1.*3', err)
    end)

    it("are the only ones that client_certificate may name", function()
      assert.is_true(check_config({ client_certificate = "kong-client" }))
      local ok, err = check_config({ client_certificate = "kong-vet" })
      assert.is_nil(ok)
      assert.matches('client_certificate: "kong%-vet"', err)
    end)
  end)

  describe("trust", function()
    it("needs a CA when the upstream is verified", function()
      local ok, err = check_config({ ca_file = stand_ins.NONE })
      assert.is_nil(ok)
      assert.matches("tls_verify needs a CA", err)
    end)

    it("may come from Kong's own configuration", function()
      world.kong.configuration.lua_ssl_trusted_certificate_combined = "/etc/ssl/cert.pem"
      assert.is_true(check_config({ ca_file = stand_ins.NONE }))
    end)

    for name, value in pairs({ ca_file = "/ca.pem", ca_certificates = { "an id" }, crl_file = "/crl.pem" }) do
      it(name .. " is rejected when the upstream is not verified", function()
        local ok, err = check_config({ tls_verify = false, ca_file = stand_ins.NONE, [name] = value })
        assert.is_nil(ok)
        assert.matches("tls_verify is false", err)
      end)
    end

    it("is left to the service when tls_verify is false and no CA is given", function()
      assert.is_true(check_config({ tls_verify = false, ca_file = stand_ins.NONE }))
    end)
  end)

  describe("inline certificates", function()
    local pki, client, other

    lazy_setup(function()
      pki = new_pki()
      client, other = pki:issue("kong-client"), pki:issue("other")
    end)

    lazy_teardown(function()
      pki:remove()
    end)

    local function check_pair(cert, key)
      local record = field("client_certificates").elements
      return check(record, { name = "kong-client", cert = cert, key = key })
    end

    it("are accepted with their key", function()
      assert.is_true(check_pair(client.cert, client.key))
    end)

    it("are rejected with another key, and the error has the name", function()
      local ok, err = check_pair(client.cert, other.key)
      assert.is_nil(ok)
      assert.matches('^"kong%-client": ', err)
    end)

    it("are accepted when expired: otherwise Kong would not start", function()
      local expired = pki:issue("expired", { not_before = 1500000000, not_after = 1500086400 })
      assert.is_true(check_pair(expired.cert, expired.key))
    end)

    it("are not looked at when they come from files", function()
      assert.is_true(check_pair(nil, nil))
    end)
  end)

  describe("options that Kong does not support", function()
    for _, name in ipairs({ "require_certificate_request" }) do
      it(name .. " may only be false, and the error says why", function()
        local validate = field(name).custom_validator
        assert.is_true(validate(false))
        local ok, err = validate(true)
        assert.is_nil(ok)
        assert.matches("not supported on Kong: .+", err)
      end)
    end
  end)

  it("keeps keys encrypted and referenceable", function()
    local key = field("client_certificates", "key")
    assert.is_true(key.encrypted)
    assert.is_true(key.referenceable)
  end)
end)
