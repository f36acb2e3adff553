--- API keys in request bodies: reading the fields, and hiding keys from the upstream.
--
-- Read are forms (application/x-www-form-urlencoded), JSON objects and multipart/form-data, as key-auth does. Unlike
-- Kong's `kong.request.get_body` there is no limit of 100 fields, and a body that nginx has put into a file is read
-- too. With hide_credentials, a body that cannot be read is rejected: it might contain a key.


local cjson = require("cjson.safe").new()


local kong = kong
local ngx = ngx
local ipairs = ipairs
local pairs = pairs
local type = type
local find = string.find
local gmatch = string.gmatch
local gsub = string.gsub
local lower = string.lower
local match = string.match
local sub = string.sub
local concat = table.concat
local open = io.open


-- Empty arrays stay arrays, and numbers keep their digits.
cjson.decode_array_with_array_mt(true)
cjson.encode_number_precision(16)


-- Bytes; a larger body is rejected.
local MAX_SIZE = 10 * 1024 * 1024


local FORM, JSON, MULTIPART = "application/x-www-form-urlencoded", "application/json", "multipart/form-data"


local function read_raw()
  ngx.req.read_body()
  local raw = ngx.req.get_body_data()
  if raw then
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
    return nil, 413, "the body is larger than " .. MAX_SIZE .. " bytes"
  end

  file:seek("set", 0)
  raw = file:read("*a")
  file:close()
  return raw
end


-- Each name with its value, or with the number of its values where there are several.
local function add(fields, name, value)
  local known = fields[name]
  if known == nil then
    fields[name] = value
  elseif type(known) == "table" then
    known[#known + 1] = value
  else
    fields[name] = { known, value }
  end
end


local function unescape(text)
  return ngx.unescape_uri((gsub(text, "+", " ")))
end


local function read_form(raw)
  local fields = {}
  for pair in gmatch(raw, "[^&]+") do
    local name, value = match(pair, "^([^=]*)=?(.*)$")
    add(fields, unescape(name), unescape(value))
  end

  return fields
end


local function hide_in_form(raw, names)
  local kept = {}
  for pair in gmatch(raw, "[^&]+") do
    if not names[unescape(match(pair, "^[^=]*"))] then
      kept[#kept + 1] = pair
    end
  end

  return concat(kept, "&")
end


local function read_json(raw)
  local value, err = cjson.decode(raw)
  if err then
    return nil, 400, "the body is not JSON: it cannot be parsed"
  end

  return type(value) == "table" and value or {}
end


-- The name of a part, quoted or not (RFC 7578, section 4.2; RFC 2183, section 2).
local function name_of(headers)
  local _, colon = find("\n" .. lower(headers), "\ncontent-disposition:", 1, true)
  if not colon then
    return nil
  end

  local disposition = match(headers, "^[^\r\n]*", colon)

  -- A second name, or an encoded one (RFC 8187), may count for the upstream.
  local _, count = gsub(lower(disposition), "[;%s]name%s*%*?%s*=", "")
  if count ~= 1 then
    return nil
  end

  local parameter = ";%s*[Nn][Aa][Mm][Ee]%s*=%s*"
  return match(disposition, parameter .. '"([^"]*)"') or match(disposition, parameter .. "([^%s;\"]+)")
end


-- The parts of a multipart body, each with the bytes from its delimiter to the next one.
local function parts_of(raw, content_type)
  local boundary = match(content_type, '[Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]="([^"]+)"') or
                   match(content_type, "[Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]=([^;%s]+)")
  if not boundary then
    return nil, 400, "the multipart body has no boundary"
  end

  local delimiter, parts = "--" .. boundary, {}
  local start = find(raw, delimiter, 1, true)
  if start and find(sub(raw, 1, start - 1), "%S") then
    return nil, 400, "text precedes the first part of the multipart body"
  end

  while start do
    local after = start + #delimiter
    if sub(raw, after, after + 1) == "--" then
      if find(raw, "%S", after + 2) then
        return nil, 400, "text follows the end of the multipart body"
      end

      return parts, nil, nil, start
    end

    local following = find(raw, "\n" .. delimiter, after, true)
    if not following then
      break
    end

    local bytes = sub(raw, start, following)
    local headers, content = match(bytes, "^[^\n]*\n(.-)\r?\n\r?\n(.*)$")
    local name = headers and name_of(headers)
    if not name then
      return nil, 400, "a part of the multipart body has no name, or more than one"
    end

    parts[#parts + 1] = { bytes = bytes, name = name, content = (gsub(content, "\r?\n$", "")) }
    start = following + 1
  end

  return nil, 400, "the multipart body does not end with its boundary"
end


local function read_multipart(raw, content_type)
  local parts, status, reason = parts_of(raw, content_type)
  if not parts then
    return nil, status, reason
  end

  local fields = {}
  for _, part in ipairs(parts) do
    add(fields, part.name, part.content)
  end

  return fields
end


local function hide_in_multipart(raw, content_type, names)
  local parts, _, _, last = parts_of(raw, content_type)
  local kept = {}
  for _, part in ipairs(parts) do
    if not names[part.name] then
      kept[#kept + 1] = part.bytes
    end
  end

  kept[#kept + 1] = sub(raw, last)
  return concat(kept)
end


local function media_type()
  local content_type = ngx.var.content_type or ""
  return lower(match(content_type, "^%s*([^;%s]*)")), content_type
end


local function read_as(kind, raw, content_type)
  if kind == FORM then
    return read_form(raw)
  end

  if kind == JSON then
    return read_json(raw)
  end

  if kind == MULTIPART then
    return read_multipart(raw, content_type)
  end

  return nil, 415, "the body is of type \"" .. kind .. "\", in which no API key can be looked for"
end


--- Read the fields of the current request's body. May yield.
-- @treturn table|nil `fields`, `kind`, `raw`; nil where there is no body
-- @treturn nil|number the status with which a body that cannot be read is rejected, if keys are to be hidden
-- @treturn nil|string the reason, for the log
local function read()
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

  local kind, content_type = media_type()
  local fields
  fields, status, reason = read_as(kind, raw, content_type)
  if not fields then
    return nil, status, reason
  end

  return { fields = fields, kind = kind, raw = raw }
end


--- Remove API keys from the current request's body.
-- @tparam table body what `read` returned
-- @tparam {string,...} key_names
local function hide(body, key_names)
  local names, found = {}, false
  for _, name in ipairs(key_names) do
    names[name] = true
    found = found or body.fields[name] ~= nil
  end

  if not found then
    return
  end

  local raw
  if body.kind == FORM then
    raw = hide_in_form(body.raw, names)
  elseif body.kind == MULTIPART then
    raw = hide_in_multipart(body.raw, ngx.var.content_type, names)
  else
    for name in pairs(names) do
      body.fields[name] = nil
    end

    raw = cjson.encode(body.fields)
  end

  kong.service.request.set_raw_body(raw)
end


return {
  read = read,
  hide = hide,
}
