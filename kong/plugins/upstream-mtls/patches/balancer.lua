--- Runs checks before each connection to an upstream, and names the keepalive pools of requests with an identity.
--
-- Kong limitation: Kong 3.4 to 3.9 name a keepalive pool `ip|port|server name|service.client_certificate.id`; 3.10 puts
-- tls_verify, its depth and the CA ids in between (Kong.balancer, init.lua). A certificate that a plugin sets is not in
-- the name, so that another request could use its connection. For grpcs the name is only `ip|port`. While Kong.balancer
-- runs for a request with an identity, `ctx.service` is a copy whose client_certificate has the identity as its id, and
-- the scheme is https. Before and after that plugins see the original service, so that no log contains the identity.
--
-- The server name can be the client's Host header (preserve_host). A server name with the separator `|` could name the
-- pool of another request: no connection is opened for it, on any route.
--
-- nginx calls Kong.balancer for each try. It must not yield.


local kong = kong
local ngx = ngx
local assert = assert
local error = error
local find = string.find
local ipairs = ipairs
local pairs = pairs
local pcall = pcall
local rawset = rawset
local require = require
local setmetatable = setmetatable
local tonumber = tonumber


local POOL_SIZE = "upstream_keepalive_pool_size"
local SEPARATOR = "|"
local WEAK = { __mode = "k" }


-- Kong versions whose balancer puts the id of the service's client certificate into the name: major * 1000 + minor.
local FIRST, LAST = 3004, 3010


local checks = {}
local installed
local names_pools


-- A copy of the service for each identity, kept with the identity.
local function service_with(service, identity)
  local copies = identity.copies
  if not copies then
    copies = setmetatable({}, WEAK)
    identity.copies = copies
  end

  local copy = copies[service]
  if not copy then
    copy = {}
    for name, value in pairs(service) do
      copy[name] = value
    end

    copy.client_certificate = { id = identity.id }
    copies[service] = copy
  end

  return copy
end


local function with_identity(balancer, ctx, identity)
  local target, service = ctx.balancer_data, ctx.service
  local scheme, host = target.scheme, target.host
  ctx.service = service_with(service, identity)
  target.scheme = "https"
  if not names_pools then
    rawset(kong.configuration, POOL_SIZE, 0)
  end

  local ok, err = pcall(balancer)
  if not names_pools then
    rawset(kong.configuration, POOL_SIZE, nil)
  end

  ctx.service, target.scheme = service, scheme
  if not ok then
    error(err, 0)
  end

  -- A plugin's retry callback may have set another target.
  if target.host ~= host then
    kong.log.err("503: a plugin has changed the host to ", target.host, " for a retry")
    return ngx.exit(503)
  end
end


local function version_of(kong_version)
  local major, minor = kong_version:match("^(%d+)%.(%d+)")
  return major and tonumber(major) * 1000 + tonumber(minor) or 0
end


--- Whether a server name would be ambiguous in the name of a keepalive pool.
local function is_ambiguous(server_name)
  return server_name ~= nil and find(server_name, SEPARATOR, 1, true) ~= nil
end


local function install()
  local Kong = require "kong"
  local balancer = assert(Kong.balancer, "it has no Kong.balancer")
  local version = version_of(kong.version)
  names_pools = version >= FIRST and version <= LAST
  if not names_pools and kong.configuration[POOL_SIZE] ~= 0 then
    kong.log.warn("it is unknown how Kong ", kong.version, " names keepalive pools: requests with a client ",
                  "certificate of upstream-mtls use a new connection each")
  end

  Kong.balancer = function()
    local ctx = ngx.ctx
    local request = ctx.upstream_mtls
    local identity = request and request.identity
    if (identity or ctx.balancer_data.scheme == "https") and is_ambiguous(ngx.var.upstream_host) then
      kong.log.warn("400: the server name of the upstream contains '", SEPARATOR, "'")
      return ngx.exit(400)
    end

    for _, check in ipairs(checks) do
      if not check(ctx) then
        return ngx.exit(503)
      end
    end

    if not identity then
      return balancer()
    end

    return with_identity(balancer, ctx, identity)
  end

  installed = true
end


--- Patch Kong.balancer. Once, when a worker starts.
local function prepare()
  if not installed then
    install()
  end
end


--- Add a check.
-- @tparam function check gets `ngx.ctx`; returns whether the connection may be opened. It must not yield.
local function add_check(check)
  prepare()
  checks[#checks + 1] = check
end


return {
  prepare = prepare,
  add_check = add_check,
  is_ambiguous = is_ambiguous,
}
