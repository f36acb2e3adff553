--- The request's headers, as a decision wants them.


local text = require("kong.plugins.mtls-policy.native").text


local kong = kong
local ngx = ngx
local pcall = pcall
local require = require
local tonumber = tonumber
local band = bit.band
local concat = table.concat
local find = string.find
local gmatch = string.gmatch
local gsub = string.gsub
local lower = string.lower


-- In the order of a decision's `set`.
local IDENTITY_HEADERS = {
  "X-Consumer-ID",
  "X-Consumer-Custom-ID",
  "X-Consumer-Username",
  "X-Credential-Identifier",
  "X-Anonymous-Consumer",
}


local USUAL = {
  ["close"] = true,
  ["keep-alive"] = true,
  ["upgrade"] = true,
  ["Keep-Alive"] = true,
  ["Upgrade"] = true,
  ["keep-alive, Upgrade"] = true,
}


-- Whether Kong reads headers as they are by then (kong.tools.http, from 3.6 on) and not as it found them at first.
local READS_ANEW
do
  local ok, http = pcall(require, "kong.tools.http")
  READS_ANEW = ok and http.get_header ~= nil
end


local function is_about_identity(name)
  name = gsub(lower(name), "_", "-")
  return find(name, "^x%-consumer%-") or name == "x-credential-identifier" or name == "x-anonymous-consumer"
end


-- After the last plugin Kong clears every header that `Connection` names (runloop/handler.lua, access.after), so that a
-- client could take away what is said here. From 3.6 on it looks into a table that it has made before the first plugin.
local function keep_from_connection(ctx)
  local connection = ngx.var.http_connection
  if not connection or USUAL[connection] then
    return
  end

  local rest, named = {}, false
  for name in gmatch(connection, "[^%s,]+") do
    if is_about_identity(name) then
      named = true
    else
      rest[#rest + 1] = name
    end
  end

  if not named then
    return
  end

  if not READS_ANEW then
    -- 3.4 and 3.5: what the client names here would be taken away all the same
    return kong.response.error(400)
  end

  connection = rest[1] and concat(rest, ", ") or nil
  ngx.req.set_header("Connection", connection)
  if ctx.cached_request_headers then
    ctx.cached_request_headers.connection = connection
  end
end


--- Take away and set what a decision says.
-- @tparam table ctx the request's ngx.ctx
-- @tparam cdata decision
-- @tparam {string,...} said values of the identity headers, by their numbers
local function edit(ctx, decision, said)
  for i = 0, tonumber(decision.removed_len) - 1 do
    ngx.req.clear_header(text(decision.removed[i]))
  end

  local set = decision.set
  if set ~= 0 then
    for i = 1, #IDENTITY_HEADERS do
      if band(set, 2 ^ (i - 1)) ~= 0 then
        ngx.req.set_header(IDENTITY_HEADERS[i], said[i])
      end
    end
  end

  local cookies = text(decision.cookies)
  if cookies then
    ngx.req.set_header("Cookie", cookies)
  end

  keep_from_connection(ctx)
end


return { edit = edit }
