local gateway = require "kong.spec.gateway"


local missing = gateway.missing("native")
if missing then
  pending("mtls-policy (schema): " .. missing)
  return
end


local DIGEST = ("0123456789abcdef"):rep(4)


describe("mtls-policy (schema)", function()
  local validate = require("spec.helpers").validate_plugin_config_schema
  local schema

  lazy_setup(function()
    schema = require "kong.plugins.mtls-policy.schema"
  end)

  local function consumer(changes)
    local given = { username = "Model Citizen", keys = { { id = "main", sha256 = DIGEST } } }
    for name, value in pairs(changes or {}) do
      given[name] = value
    end

    return given
  end

  for name, config in pairs({
    ["a consumer with a key"] = { consumers = { consumer() } },
    ["no consumer at all"] = { consumers = {} },
    ["empty lists everywhere"] = { consumers = { consumer({ groups = {}, keys = {} }) }, rules = {} },
    ["a rule for everything"] = {
      consumers = { consumer() }, rules = { { match = {}, client_certificate = "kong-client" } },
    },
    ["the gateway's own authentication"] = { authentication = "gateway" },
    ["an anonymous consumer"] = { consumers = { consumer(), { username = "guest" } }, anonymous = "guest" },
  }) do
    it("accepts " .. name, function()
      assert(validate(config, schema))
    end)
  end

  -- What is rejected, and what the error says.
  for name, case in pairs({
    ["an unknown field"] = { { key_name = { "apikey" } }, "key_name" },
    ["a consumer without a name"] = { { consumers = { { keys = {} } } }, "username" },
    ["a digest that is none"] = {
      { consumers = { consumer({ keys = { { id = "main", sha256 = "secret" } } }) } }, "consumers%[0%].*sha256",
    },
    ["an unknown method"] = {
      { consumers = { consumer() }, rules = { { match = { methods = { "PSOT" } }, client_certificate = "a" } } },
      "rules%[0%].match.methods%[0%]",
    },
    ["a group that no consumer is in"] = {
      { consumers = { consumer() }, rules = { { match = { groups = { "vets" } }, client_certificate = "a" } } },
      "rules%[0%].match.groups%[0%]",
    },
    ["one digest for two consumers"] = {
      { consumers = { consumer(), consumer({ username = "other" }) } }, "Model Citizen",
    },
    ["a rule that does nothing"] = { { consumers = { consumer() }, rules = { { match = {} } } }, "rules%[0%]" },
  }) do
    it("rejects " .. name .. ", and says where", function()
      local entity, err = validate(case[1], schema)
      assert.is_nil(entity)
      assert.matches(case[2], (require("cjson").encode(err):gsub('\\"', '"')))
    end)
  end
end)
