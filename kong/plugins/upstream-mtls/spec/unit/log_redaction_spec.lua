local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: log_redaction", function()
  local world, redaction

  before_each(function()
    world = stand_ins.reset()
    world.var.upstream_uri = "/base/dogs"
    kong.request = {
      get_scheme = function() return "https" end,
      get_host = function() return "gateway.test" end,
      get_port = function() return 8443 end,
    }
    ngx.decode_args = function(query)
      return query
    end
    redaction = require "kong.plugins.upstream-mtls.log_redaction"
  end)

  local function receive(query)
    world.var.args = query
    world.var.request_uri = "/dogs" .. (query and "?" .. query or "")
  end

  it("hides keys in the query wherever the serializer has it", function()
    receive("a=%31&apikey=secret&b=2")
    redaction.hide_keys({ "apikey" })

    assert.equal("/dogs?a=%31&b=2", world.serialized["request.uri"])
    assert.equal("https://gateway.test:8443/dogs?a=%31&b=2", world.serialized["request.url"])
    assert.equal("a=%31&b=2", world.serialized["request.querystring"])
    assert.equal("/base/dogs?a=%31&b=2", world.serialized["upstream_uri"])
  end)

  for _, query in ipairs({
    "apikey=secret", "apikey=secret&apikey=secret", "%61pikey=secret", "apikey=secret=secret",
  }) do
    it("leaves nothing of the query " .. query, function()
      receive(query)
      redaction.hide_keys({ "other", "apikey" })
      assert.equal("/dogs", world.serialized["request.uri"])
    end)
  end

  it("hides headers that may hold a key", function()
    receive(nil)
    redaction.hide_keys({ "X-API-Key" })
    for _, name in ipairs({ "x-api-key", "authorization", "cookie" }) do
      assert.equal("REDACTED", world.serialized["request.headers." .. name])
    end
  end)

  it("does not touch a query without keys", function()
    receive("a=1")
    redaction.hide_keys({ "apikey" })
    assert.is_nil(world.serialized["request.uri"])
  end)
end)
