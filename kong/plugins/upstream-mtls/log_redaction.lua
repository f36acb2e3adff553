--- Keeps hidden API keys out of the entries of log plugins.
--
-- Log plugins print the request's URI, query and headers as the client sent them, and the headers of a rejected request
-- with its key.


local kong = kong
local ngx = ngx
local ipairs = ipairs
local pcall = pcall
local setmetatable = setmetatable
local concat = table.concat
local gmatch = string.gmatch
local gsub = string.gsub
local lower = string.lower
local match = string.match


local REDACTED = "REDACTED"
local REPLACE = { mode = "replace" }
local MAX_FORMS = 32


-- Kong limitation: kong.log.set_serialize_value cannot be called when nginx makes an error page, and what it has to do
-- is the same there (kong/pdk/log.lua, seen in 3.4 to 3.10).
local function set(key, value, options)
  if pcall(kong.log.set_serialize_value, key, value, options) then
    return
  end

  local ctx = ngx.ctx
  local values = ctx.serialize_values
  if not values then
    values = {}
    ctx.serialize_values = values
  end

  values[#values + 1] = { key = key, value = value, mode = options and options.mode or "set" }
end


--- Show another query in log entries.
-- @tparam string query without the keys
local function replace_query(query)
  if query == ngx.var.args or query == "" and not ngx.var.args then
    return
  end

  local suffix = query ~= "" and "?" .. query or ""
  local uri = gsub(ngx.var.request_uri, "%?.*", "") .. suffix
  set("request.uri", uri)
  set("request.url", kong.request.get_scheme() .. "://" .. kong.request.get_host() .. ":" .. kong.request.get_port() ..
      uri)
  set("request.querystring", ngx.decode_args(query, 0))
  set("upstream_uri", gsub(ngx.var.upstream_uri, "%?.*", "") .. suffix)
end


-- The query's arguments except those with one of these names, and whether there are any with one.
local function query_without(names)
  local kept, found = {}, false
  for pair in gmatch(ngx.var.args or "", "[^&]+") do
    if names[ngx.unescape_uri((gsub(match(pair, "^[^=]*"), "+", " ")))] then
      found = true
    else
      kept[#kept + 1] = pair
    end
  end

  return concat(kept, "&"), found
end


-- A header's name with each dash also as an underscore: `X_API_Key` counts as `X-API-Key` (docs/policy.md).
local spellings = setmetatable({}, { __mode = "k" })


local function spellings_of(key_names)
  local known = spellings[key_names]
  if known then
    return known
  end

  known = { "authorization", "cookie" }
  for _, name in ipairs(key_names) do
    local forms = { "" }
    for part, dash in gmatch(lower(name), "([^-_]*)([-_]?)") do
      local longer = {}
      for _, form in ipairs(forms) do
        longer[#longer + 1] = form .. part .. dash
        if dash ~= "" and #forms < MAX_FORMS then
          longer[#longer + 1] = form .. part .. (dash == "-" and "_" or "-")
        end
      end

      forms = longer
    end

    for _, form in ipairs(forms) do
      known[#known + 1] = form
    end
  end

  spellings[key_names] = known
  return known
end


local function set_of(list)
  local members = {}
  for _, each in ipairs(list) do
    members[each] = true
  end

  return members
end


--- Whether the current request's query has an argument with one of these names.
-- @tparam {string,...} key_names
local function is_in_query(key_names)
  local _, found = query_without(set_of(key_names))
  return found
end


--- Hide the keys of the current request in log entries, whatever becomes of it.
-- @tparam {string,...} key_names names of headers and query arguments
local function hide_keys(key_names)
  for _, header in ipairs(spellings_of(key_names)) do
    set("request.headers." .. header, REDACTED, REPLACE)
  end

  if ngx.var.args then
    replace_query((query_without(set_of(key_names))))
  end
end


return {
  is_in_query = is_in_query,
  replace_query = replace_query,
  hide_keys = hide_keys,
}
