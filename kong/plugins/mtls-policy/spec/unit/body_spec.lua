local stand_ins = require "kong.spec.stand_ins"


describe("mtls-policy: body", function()
  local world, body, sent

  before_each(function()
    world = stand_ins.reset()
    sent = nil
    kong.service.request.set_raw_body = function(raw)
      sent = raw
    end
    ngx.req.read_body = function() end
    body = require "kong.plugins.mtls-policy.body"
  end)

  local function receive(content_type, raw)
    world.var.content_type = content_type
    ngx.req.get_body_data = function()
      return raw
    end
    return body.read()
  end

  -- What the upstream receives of a body.
  local function hide(content_type, raw)
    local read, _, reason = receive(content_type, raw)
    assert.is_table(read, reason)
    body.hide(read, { "apikey", "api_key" })
    return sent or raw
  end

  local FORM, JSON = "application/x-www-form-urlencoded", "application/json; charset=utf-8"
  local MULTIPART = "multipart/form-data; boundary=b"

  local function multipart(...)
    local parts = {}
    for _, part in ipairs({ ... }) do
      parts[#parts + 1] = "--b\r\nContent-Disposition: form-data; " .. part[1] .. "\r\n\r\n" .. part[2] .. "\r\n"
    end

    return table.concat(parts) .. "--b--\r\n"
  end

  describe("fields", function()
    for name, case in pairs({
      ["a form"] = { FORM, "a=1&apikey=k&b=2", "k" },
      ["a form with escaped characters"] = { FORM, "%61pikey=a%20b+c", "a b c" },
      ["JSON"] = { JSON, '{"apikey":"k"}', "k" },
      ["multipart"] = { MULTIPART, multipart({ 'name="a"', "1" }, { 'name="apikey"', "k" }), "k" },
      ["multipart with an unquoted name"] = { MULTIPART, multipart({ "name=apikey", "k" }), "k" },
      ["multipart with a quoted boundary"] = {
        'multipart/form-data; boundary="b"', multipart({ 'name="apikey"', "k" }), "k",
      },
    }) do
      it("are read from " .. name, function()
        assert.equal(case[3], receive(case[1], case[2]).fields.apikey)
      end)
    end

    it("with several values have them all", function()
      assert.same({ "a", "b" }, receive(FORM, "apikey=a&apikey=b").fields.apikey)
    end)

    it("are read behind more than 100 others", function()
      assert.equal("k", receive(FORM, ("a=1&"):rep(500) .. "apikey=k").fields.apikey)
    end)

    it("are read from a body that nginx has put into a file", function()
      local path = os.tmpname()
      local file = assert(io.open(path, "wb"))
      file:write("apikey=k")
      file:close()
      ngx.req.get_body_file = function()
        return path
      end

      local read = receive(FORM, nil)
      os.remove(path)
      assert.equal("k", read.fields.apikey)
    end)

    it("are none without a body", function()
      ngx.req.get_body_file = function() end
      local read, status = receive(FORM, nil)
      assert.is_nil(read)
      assert.is_nil(status)
    end)
  end)

  describe("a body that cannot be read", function()
    for name, case in pairs({
      ["not JSON"] = { JSON, "{", 400 },
      ["of another type"] = { "text/plain", "apikey=k", 415 },
      ["without a type"] = { nil, "apikey=k", 415 },
      ["multipart without a boundary"] = { "multipart/form-data", "x", 400 },
      ["multipart without an end"] = { MULTIPART, multipart({ 'name="a"', "1" }):sub(1, -6), 400 },
      ["multipart with a part without a name"] = { MULTIPART, multipart({ "x=y", "1" }), 400 },
      ["multipart with text before the first part"] = {
        MULTIPART, "apikey=k\r\n" .. multipart({ 'name="a"', "1" }), 400,
      },
      ["multipart with text after the end"] = { MULTIPART, multipart({ 'name="a"', "1" }) .. "apikey=k", 400 },
    }) do
      it("has a status and a reason: " .. name, function()
        local read, status, reason = receive(case[1], case[2])
        assert.is_nil(read)
        assert.equal(case[3], status)
        assert.is_string(reason)
        -- it may hold a key
        assert.is_nil(reason:find("=k", 1, true))
      end)
    end
  end)

  describe("hiding", function()
    it("takes all keys out of a form, and nothing else", function()
      assert.equal("a=%31&b=2", hide(FORM, "a=%31&apikey=k&b=2&%61pikey=l&api_key=m"))
    end)

    it("takes keys out of JSON", function()
      local received = require("cjson").decode(hide(JSON, '{"apikey":"k","a":[1],"api_key":"l"}'))
      assert.same({ a = { 1 } }, received)
    end)

    it("takes parts out of multipart, byte for byte", function()
      local kept = { 'name="a"; filename="x.txt"', "1\r\n--not the boundary\r\n2" }
      assert.equal(multipart(kept), hide(MULTIPART, multipart({ 'name="apikey"', "k" }, kept, { "name=api_key", "l" })))
    end)

    it("does not touch a body without keys", function()
      hide(JSON, '{ "a" : 1.0 }')
      assert.is_nil(sent)
    end)
  end)
end)
