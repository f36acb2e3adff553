local stand_ins = require "kong.spec.stand_ins"


describe("mtls-policy: document", function()
  local document, cjson

  before_each(function()
    stand_ins.reset()
    document = require "kong.plugins.mtls-policy.document"
    cjson = require "cjson"
  end)

  local function policy(conf)
    local text = document.policy(conf)
    return cjson.decode(text), text
  end

  it("has the fields of the config", function()
    local decoded = policy({
      key_names = { "X-API-Key" },
      hide_credentials = true,
      consumers = { { username = "Model Citizen", groups = { "citizens" } } },
      rules = { { match = { headers = { ["X-Species"] = { "dog" } } }, client_certificate = "kong-vet" } },
    })

    assert.same({
      key_names = { "X-API-Key" },
      hide_credentials = true,
      consumers = { { username = "Model Citizen", groups = { "citizens" } } },
      rules = { { match = { headers = { ["X-Species"] = { "dog" } } }, client_certificate = "kong-vet" } },
    }, decoded)
  end)

  it("leaves out the fields that Kong adds", function()
    local decoded = policy({ realm = "dogs", __plugin_id = "id", route_id = "id", __seq__ = 1 })
    assert.same({ realm = "dogs" }, decoded)
  end)

  it("does not change the config", function()
    local conf = { consumers = {}, rules = { { match = {}, client_certificate = "a" } } }
    policy(conf)
    assert.is_nil(getmetatable(conf.consumers))
    assert.same({ consumers = {}, rules = { { match = {}, client_certificate = "a" } } }, conf)
  end)

  describe("with the gateway's own authentication", function()
    it("leaves out the defaults that Kong fills in about API keys", function()
      local decoded = policy({
        authentication = "gateway",
        key_names = { "apikey" }, key_in_header = true, key_in_query = true, key_in_body = false,
        hide_credentials = false, run_on_preflight = true,
      })
      assert.same({ authentication = "gateway" }, decoded)
    end)

    it("keeps what was configured about API keys, for the core to reject", function()
      local decoded = policy({ authentication = "gateway", key_names = { "X-API-Key" }, hide_credentials = true })
      assert.same({ authentication = "gateway", key_names = { "X-API-Key" }, hide_credentials = true }, decoded)
    end)

    it("is the only case in which they are left out", function()
      local decoded = policy({ authentication = "api_key", key_in_header = true })
      assert.same({ authentication = "api_key", key_in_header = true }, decoded)
    end)
  end)

  describe("encodes an empty list as a list:", function()
    for name, conf in pairs({
      consumers = { consumers = {} },
      rules = { rules = {} },
      key_names = { key_names = {} },
      key_cookies = { key_cookies = {} },
      keys = { consumers = { { username = "a", keys = {} } } },
      groups = { consumers = { { username = "a", groups = {} } } },
      methods = { rules = { { match = { methods = {} } } } },
      paths = { rules = { { match = { paths = {} } } } },
      hosts = { rules = { { match = { hosts = {} } } } },
    }) do
      it(name, function()
        local _, text = policy(conf)
        assert.matches('"' .. name .. '":%[%]', text)
      end)
    end

    it("the values of a header", function()
      local _, text = policy({ rules = { { match = { headers = { ["X-A"] = {} } } } } })
      assert.matches('"X%-A":%[%]', text)
    end)
  end)

  describe("encodes an empty record as a record:", function()
    it("match", function()
      local _, text = policy({ rules = { { match = {} } } })
      assert.matches('"match":{}', text)
    end)

    it("deny", function()
      local _, text = policy({ rules = { { match = {}, deny = {} } } })
      assert.matches('"deny":{}', text)
    end)

    it("headers", function()
      local _, text = policy({ rules = { { match = { headers = {} } } } })
      assert.matches('"headers":{}', text)
    end)
  end)
end)
