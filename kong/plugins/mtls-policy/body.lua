--- API keys in request bodies: reading the fields, and hiding keys from the upstream.
--
-- Read are forms (application/x-www-form-urlencoded), JSON objects and multipart/form-data, as key-auth does. The
-- native library parses them, in time linear in the body's size (kong/native/src/body.rs). Unlike Kong's
-- `kong.request.get_body` there is no limit of 100 fields, and a body that nginx has put into a file is read too. With
-- hide_credentials, a body that cannot be read is rejected: it might contain a key.


local ffi = require "ffi"
local native = require "kong.plugins.mtls-policy.native"


local kong = kong
local ngx = ngx
local ipairs = ipairs
local tonumber = tonumber
local type = type
local lower = string.lower
local match = string.match
local open = io.open
local new = ffi.new
local library = native.C
local text = native.text


-- Bytes; a larger body is rejected.
local MAX_SIZE = 10 * 1024 * 1024


-- As the native library numbers them.
local KINDS = {
  ["application/x-www-form-urlencoded"] = 0,
  ["application/json"] = 1,
  ["multipart/form-data"] = 2,
}


local TOO_LARGE = "the body is larger than " .. MAX_SIZE .. " bytes"


local result = new "mtls_policy_body"


local function read_raw()
  ngx.req.read_body()
  local raw = ngx.req.get_body_data()
  if raw then
    if #raw > MAX_SIZE then
      return nil, 413, TOO_LARGE
    end

    return raw
  end

  local path = ngx.req.get_body_file()
  if not path then
    return ""
  end

  local file, err = open(path, "rb")
  if not file then
    return nil, 500, "the body cannot be read: " .. err
  end

  local size = file:seek("end")
  if size > MAX_SIZE then
    file:close()
    return nil, 413, TOO_LARGE
  end

  file:seek("set", 0)
  raw = file:read("*a")
  file:close()
  return raw
end


-- Each name with its value, or with its values where there are several.
local function read_fields()
  local fields = {}
  for i = 0, tonumber(result.values_len) - 1 do
    local name, value = text(result.values[i].name), text(result.values[i].value)
    local known = fields[name]
    if known == nil then
      fields[name] = value
    elseif type(known) == "table" then
      known[#known + 1] = value
    else
      fields[name] = { known, value }
    end
  end

  return fields
end


-- Nothing yields between the library's answer and its last use.
local function parse(kind, content_type, raw, key_names)
  local names = new("mtls_policy_field[?]", #key_names)
  for i, name in ipairs(key_names) do
    names[i - 1].name.data, names[i - 1].name.len = name, #name
  end

  local status = library.mtls_policy_body_read(kind, content_type, #content_type, raw, #raw, names, #key_names, true,
                                               result)
  if status ~= 0 then
    return nil, status, text(result.reason) or "the body cannot be read"
  end

  local body = { fields = read_fields(), rest = text(result.rest) }
  library.mtls_policy_body_release()
  return body
end


--- Read the fields of the current request's body that have the names of API keys. May yield.
-- @tparam {string,...} key_names
-- @treturn table|nil `fields`; `rest`, the body without them, where there are any; nil where there is no body
-- @treturn nil|number the status with which a body that cannot be read is rejected, if keys are to be hidden
-- @treturn nil|string the reason, for the log
local function read(key_names)
  local raw, status, reason = read_raw()
  if not raw then
    return nil, status, reason
  end

  if raw == "" then
    return nil
  end

  local encoding = ngx.var.http_content_encoding
  if encoding and encoding ~= "" and lower(encoding) ~= "identity" then
    return nil, 415, "the body has a content encoding, in which no API key can be looked for"
  end

  local content_type = ngx.var.content_type or ""
  local media_type = lower(match(content_type, "^%s*([^;%s]*)"))
  local kind = KINDS[media_type]
  if not kind then
    return nil, 415, "the body is of type \"" .. media_type .. "\", in which no API key can be looked for"
  end

  return parse(kind, content_type, raw, key_names)
end


--- Remove API keys from the current request's body.
-- @tparam table body what `read` returned
local function hide(body)
  if body.rest then
    kong.service.request.set_raw_body(body.rest)
  end
end


return {
  read = read,
  hide = hide,
}
