--- Requests as the native library reads them, and its decisions.
--
-- Buffers are a worker's own and used again for each request: nothing may yield between filling them and having read
-- the decision. Headers are handed over as nginx has them, by the functions that lua-resty-core's ngx.req.get_headers
-- calls (seen in OpenResty 1.21 to 1.27): a Lua table of them would cost more than the whole decision.


local base = require "resty.core.base"
local ffi = require "ffi"
local grpc_path = require "kong.plugins.upstream-mtls.grpc_path"
local native = require "kong.plugins.mtls-policy.native"
require "resty.core.request"


local ngx = ngx
local ipairs = ipairs
local type = type
local get_request = base.get_request
local cast = ffi.cast
local new = ffi.new
local C = ffi.C
local library = native.C
local text = native.text


local NO_HEADERS = "nginx does not hand over the request's headers"
local ALL = 0
local RAW = 1


local request = new "mtls_policy_request"
local decision = new "mtls_policy_decision"
local established = new "mtls_policy_established"
local answered = new "mtls_policy_answer_of"
local truncated = new "int[1]"


-- What the buffers point to and Lua owns: kept from being collected, until the next request's takes its place.
local kept = {}


local room, headers, removed = 0, nil, nil
local function make_room(count)
  room = count
  headers = new("ngx_http_lua_ffi_table_elt_t[?]", room)
  removed = new("mtls_policy_text[?]", room)
  request.headers = cast("const mtls_policy_field *", headers)
  decision.removed = removed
  decision.removed_capacity = room
end


make_room(64)


local body_room, body = 0, nil
local function make_body_room(count)
  body_room = count
  body = new("mtls_policy_field[?]", count)
  request.body = body
end


make_body_room(4)


local function put(buffer, value)
  buffer.data = value
  buffer.len = value and #value or 0
end


local function put_headers()
  local r = get_request()
  local count = C.ngx_http_lua_ffi_req_get_headers_count(r, ALL, truncated)
  if count > room then
    make_room(count * 2)
  end

  request.headers_len = 0
  if count > 0 and C.ngx_http_lua_ffi_req_get_headers(r, headers, count, RAW) == 0 then
    request.headers_len = count
    return true
  end

  return count == 0
end


-- As key-auth: of a body that is not a form, JSON or multipart nothing is read, and only strings are keys.
local function put_body(fields, names)
  request.body_len = 0
  if type(fields) ~= "table" then
    return
  end

  local count = 0
  local function add(name, value)
    put(body[count].name, name)
    put(body[count].value, value)
    count = count + 1
    kept[-count] = value
  end

  if body_room < 2 * #names then
    make_body_room(2 * #names)
  end

  for _, name in ipairs(names) do
    local value = fields[name]
    if type(value) == "table" then
      -- that it is there more than once is all that matters
      add(name, "")
      add(name, "")
    elseif type(value) == "string" then
      add(name, value)
    end
  end

  request.body_len = count
end


local function put_established(who)
  if not who then
    request.established = nil
    return
  end

  kept.established = who
  put(established.id, who.id)
  put(established.username, who.username)
  put(established.custom_id, who.custom_id)
  put(established.credential, who.credential)
  put(established.groups, who.groups)
  request.established = established
end


-- The path that the upstream will receive.
local function sent_path()
  if grpc_path.applies_to(ngx.var.upstream_scheme) then
    return grpc_path.of_request()
  end

  return ngx.var.upstream_uri
end


-- Kong has put the path together by now, but for the query, which it appends after the last plugin.
local function put_request(wants)
  local var = ngx.var
  if wants.method then
    kept.method = ngx.req.get_method()
    put(request.method, kept.method)
  end

  if wants.authority then
    kept.authority = var.http_host
    put(request.authority, kept.authority)
  end

  if wants.path then
    local err
    kept.path, err = sent_path()
    if not kept.path then
      return nil, err
    end

    put(request.path, kept.path)
  end

  -- Not by `is_args`: nginx would remember it for when the last argument is hidden.
  if wants.query then
    kept.query = var.args
    put(request.query, kept.query)
  end

  request.now = ngx.time()
  if not put_headers() then
    return nil, NO_HEADERS
  end

  return true
end


--- Decide about the current request.
-- @tparam table policy
-- @tparam table|nil fields of the body, where the policy wants it
-- @tparam table|nil who is asking, where the gateway is to say
-- @treturn number|nil 0, or the status with which it is refused
-- @treturn cdata|string the decision, valid until the next one; or why there is none
local function decide(policy, fields, who)
  local wants = policy.wants
  if wants.body then
    put_body(fields, policy.key_names)
  end

  if wants.established or wants.anonymous then
    put_established(who)
  end

  local ok, err = put_request(wants)
  if not ok then
    return nil, err
  end

  return library.mtls_policy_decide(policy.handle, request, decision), decision
end


--- Ask the rules again about the current request.
-- @tparam table policy
-- @tparam table who was let in
-- @treturn number|nil
-- @treturn cdata|string
local function reselect(policy, who)
  put_established(who)
  local ok, err = put_request(policy.wants)
  if not ok then
    return nil, err
  end

  return library.mtls_policy_reselect(policy.handle, request, decision), decision
end


--- The body that tells the client of the request that was last decided about a message, in the format that it prefers.
-- @tparam string message
-- @treturn string|nil nil for gRPC
-- @treturn nil|string its content type
local function answer(message)
  local id = ngx.ctx.request_id or ngx.var.kong_request_id or ""
  local http2 = ngx.req.http_version() == 2
  library.mtls_policy_answer(request, message, #message, id, #id, http2, answered)
  return text(answered.body), text(answered.content_type)
end


--- Method and path of the request that was last decided about, where its policy looks at them.
local function seen(wants)
  return wants.method and kept.method, wants.path and kept.path
end


--- Whether they are still the same.
local function is_as_seen(wants, method, path)
  return (not wants.method or ngx.req.get_method() == method) and (not wants.path or sent_path() == path)
end


return {
  decide = decide,
  reselect = reselect,
  answer = answer,
  seen = seen,
  is_as_seen = is_as_seen,
  text = text,
}
