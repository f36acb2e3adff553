local gateway = require "kong.spec.gateway"
local new_pki = require("kong.spec.pki").new


local KEY, OTHER_KEY = "a-secret-key", "another-secret-key"


local missing = gateway.missing("native")
if missing then
  pending("mtls-policy (consumers_file): " .. missing)
  return
end


for _, strategy in gateway.each_strategy() do
  describe("mtls-policy (consumers_file) [#" .. strategy .. "]", function()
    local pki, upstream, kong

    local function consumers_with(key)
      return "consumers:\n- username: Model Citizen\n  keys:\n  - id: main\n    sha256: " .. gateway.sha256(key) .. "\n"
    end

    local function with_key(key)
      return { headers = { apikey = key } }
    end

    local function status_is(status)
      return function(response)
        return response.status == status
      end
    end

    lazy_setup(function()
      pki = new_pki()
      upstream = gateway.start_upstream(pki)
      kong = gateway.new(strategy, "native")
      local service = kong:insert_service(upstream, { protocol = "http", port = upstream.port })
      for _, name in ipairs({ "present", "absent" }) do
        kong:insert_policy(kong:insert_route(name, service), { consumers_file = pki:path(name .. ".yaml") })
      end

      pki:write("present.yaml", consumers_with(KEY))
      kong:start()
    end)

    lazy_teardown(function()
      kong:stop()
      upstream:stop()
      pki:remove()
    end)

    -- Each test starts from the same file.
    before_each(function()
      pki:write("present.yaml", consumers_with(KEY))
      kong:eventually("present", with_key(KEY), status_is(200))
    end)

    it("has the keys that are accepted", function()
      assert.equal(401, kong:request("present").status)
      assert.equal(401, kong:request("present", with_key(OTHER_KEY)).status)
      assert.equal("Model Citizen", kong:request("present", with_key(KEY)).json.headers["x-consumer-username"])
    end)

    it("is read again when it changes", function()
      pki:write("present.yaml", consumers_with(OTHER_KEY))
      kong:eventually("present", with_key(OTHER_KEY), status_is(200))
      assert.equal(401, kong:request("present", with_key(KEY)).status)
    end)

    it("may be empty: no key is accepted", function()
      pki:write("present.yaml", "consumers: []\n")
      kong:eventually("present", with_key(KEY), status_is(401))
    end)

    for name, content in pairs({
      ["not YAML"] = "consumers: [\n",
      ["a mapping of consumers"] = "consumers:\n  Model Citizen:\n    keys: []\n",
      ["an unknown field"] = "consumer: []\n",
      ["a digest that is none"] = "consumers:\n- username: a\n  keys:\n  - id: main\n    sha256: abc\n",
      ["a list"] = "- username: a\n",
      ["aliases without end"] = "a: &a [x]\nb: &b [*a, *a]\nconsumers: *b\n",
      ["true as a name"] = "true: 1\nconsumers: []\n",
    }) do
      it("keeps the last good version when it becomes: " .. name, function()
        local before = #kong:log_lines("present.yaml")
        pki:write("present.yaml", content)
        kong:eventually("present", with_key(KEY), function()
          return #kong:log_lines("present.yaml") > before
        end)

        assert.equal(200, kong:request("present", with_key(KEY)).status)
      end)
    end

    it("answers 503 as long as it has never been there", function()
      assert.equal(503, kong:request("absent", with_key(KEY)).status)
      pki:write("absent.yaml", consumers_with(KEY))
      kong:eventually("absent", with_key(KEY), status_is(200))
    end)
  end)
end
