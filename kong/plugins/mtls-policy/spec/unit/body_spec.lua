local ffi = require "ffi"
local stand_ins = require "kong.spec.stand_ins"


-- The native library is replaced: how it parses is tested in Rust (kong/native/src/body_tests.rs).
describe("mtls-policy: body", function()
  local world, body, sent, parsed, answer, released

  if not pcall(ffi.typeof, "mtls_policy_body") then
    ffi.cdef(require "kong.plugins.mtls-policy.cdef")
  end

  local function put(buffer, value)
    buffer.data, buffer.len = value, value and #value or 0
  end

  before_each(function()
    world = stand_ins.reset()
    sent, parsed, released = nil, nil, 0
    answer = { values = {} }
    local values = ffi.new("mtls_policy_field[4]")
    stand_ins.replace("kong.plugins.mtls-policy.native", {
      text = function(of)
        return of.data ~= nil and ffi.string(of.data, of.len) or nil
      end,
      C = {
        mtls_policy_body_read = function(kind, _, _, raw, _, names, count, _, result)
          parsed = { kind, raw, count, ffi.string(names[0].name.data, names[0].name.len) }
          for i, value in ipairs(answer.values) do
            put(values[i - 1].name, value[1])
            put(values[i - 1].value, value[2])
          end

          result.values, result.values_len = values, #answer.values
          put(result.rest, answer.rest)
          put(result.reason, answer.reason)
          return answer.status or 0
        end,
        mtls_policy_body_release = function()
          released = released + 1
        end,
      },
    })
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
    return body.read({ "apikey", "api_key" })
  end

  local FORM = "application/x-www-form-urlencoded"

  for content_type, kind in pairs({
    [FORM] = 0,
    ["Application/JSON; charset=utf-8"] = 1,
    ["multipart/form-data; boundary=b"] = 2,
  }) do
    it("is parsed as its media type says: " .. content_type, function()
      receive(content_type, "x")
      assert.same({ kind, "x", 2, "apikey" }, parsed)
      assert.equal(1, released)
    end)
  end

  it("has fields with one value, or a table of several", function()
    answer.values = { { "apikey", "a" }, { "api_key", "b" }, { "api_key", "c" } }
    assert.same({ apikey = "a", api_key = { "b", "c" } }, receive(FORM, "x").fields)
  end)

  it("is read from the file that nginx has put it into", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write("apikey=k")
    file:close()
    ngx.req.get_body_file = function()
      return path
    end

    receive(FORM, nil)
    os.remove(path)
    assert.equal("apikey=k", parsed[2])
  end)

  it("may be absent", function()
    ngx.req.get_body_file = function() end
    local read, status = receive(FORM, nil)
    assert.is_nil(read)
    assert.is_nil(status)
  end)

  it("is rejected as the library says", function()
    answer = { values = {}, status = 400, reason = "why" }
    assert.same({ nil, 400, "why" }, { receive(FORM, "x") })
  end)

  it("is rejected where it is of another type, or too large", function()
    assert.equal(415, select(2, receive("text/plain", "apikey=k")))
    assert.equal(415, select(2, receive(nil, "apikey=k")))
    assert.equal(413, select(2, receive(FORM, ("x"):rep(10 * 1024 * 1024 + 1))))
    assert.is_nil(parsed)
  end)

  it("is replaced where it has keys, and only there", function()
    body.hide(receive(FORM, "a=1"))
    assert.is_nil(sent)
    answer.rest = "a=1"
    body.hide(receive(FORM, "a=1&apikey=k"))
    assert.equal("a=1", sent)
  end)
end)
