--- The path that a gRPC upstream receives.
--
-- Kong proxies gRPC by nginx's grpc_pass, which does not send `upstream_uri` (the path after strip_path and plugins
-- like request-transformer), but nginx's own URI: the client's path byte for byte, or the path that a plugin has set
-- with ngx.req.set_uri (grpc-gateway). Seen in 3.9.3; see ngx_http_grpc_create_request.


local ngx = ngx
local find = string.find
local match = string.match


local SCHEMES = { grpc = true, grpcs = true }
-- What gRPC paths consist of. Everything else is escaped or normalized by nginx, and then it depends on whether a
-- plugin has set the URI what is sent.
local PLAIN = "^/[%w%-._~/:@!$&'()*+,;=]*$"


local function is_plain(path)
  return find(path, PLAIN) ~= nil and not find(path, "//", 1, true) and not find(path, "/.", 1, true)
end


--- Returns the path that the upstream of the current request receives.
-- @treturn string|nil the path; nil where it is not a plain path
-- @treturn nil|string the reason, for the log
local function of_request()
  local received = match(ngx.var.request_uri, "^[^?]*")
  local current = ngx.var.uri
  -- A client may send an absolute URI (RFC 9112, section 3.2.2).
  if not is_plain(received) or not is_plain(current) then
    return nil, "the path of a gRPC request may not contain escaped characters, '//' or '/.'"
  end

  return current
end


--- Whether an upstream speaks gRPC.
-- @tparam string scheme
local function applies_to(scheme)
  return SCHEMES[scheme] == true
end


--- Put the path that is sent into `upstream_uri`, where filters and rules read it. grpc_pass does not use that
-- variable.
-- @treturn string|nil why the path is unknown
local function publish()
  if not SCHEMES[ngx.var.upstream_scheme] then
    return nil
  end

  local path, reason = of_request()
  if not path then
    return reason
  end

  ngx.var.upstream_uri = path
end


return {
  applies_to = applies_to,
  of_request = of_request,
  publish = publish,
}
