--- Keeps connections of different identities in different keepalive pools.
--
-- Everything here lies below Kong's plugin interface, and nothing else in this plugin does.
--
-- Kong 3.4 to 3.9 name the pool `ip|port|server name|service.client_certificate.id`, 3.10 puts tls_verify, its depth
-- and the CA ids in between. A certificate that a plugin sets is in none of these names, so that without a cure the
-- next request is sent over a connection that was authenticated as somebody else. The cure: for the request, the
-- service is replaced by a copy whose client_certificate has the identity as its id.
--
-- Where Kong's balancer does not read that id, the pool is switched off for the request; and where that is not
-- possible either, nothing is presented at all.


local kong = kong
local ngx = ngx
local assert = assert
local find = string.find
local getmetatable = getmetatable
local pairs = pairs
local pcall = pcall
local require = require
local setmetatable = setmetatable
local dump = string.dump
local get_phase = ngx.get_phase


local POOL_SIZE = "upstream_keepalive_pool_size"


local WEAK = { __mode = "k" }


-- Whether a function reads a field of that name: the name is among its constants. It needs no source text, which
-- some distributions of Kong don't ship, and says no where a later Kong does it elsewhere.
local function reads(fn, name)
  return find(dump(fn, true), name, 1, true) ~= nil
end


local function switch_off_for_ours()
  local metatable = getmetatable(kong.configuration)
  local read = metatable.__index
  metatable.__index = function(configuration, name)
    if name == POOL_SIZE and get_phase() == "balancer" and ngx.ctx.upstream_mtls then
      return 0
    end

    return read(configuration, name)
  end
end


-- For a response that plugins want buffered Kong makes a subrequest, to which it applies the TLS settings of
-- `ctx.service` anew (nginx_kong.lua, kong_buffered_http, since 3.4.2). It must be what we applied to the request.
local function follow_into_subrequests(apply)
  local upstream_ssl = require "kong.runloop.upstream_ssl"
  local set_service_ssl = assert(upstream_ssl.set_service_ssl)
  upstream_ssl.set_service_ssl = function(ctx)
    local request = ctx and ctx.upstream_mtls
    if not request then
      return set_service_ssl(ctx)
    end

    set_service_ssl({ service = request.service })
    return apply(request)
  end
end


--- Find out what this Kong offers. Once, when a worker starts.
-- @tparam function apply presents again what was presented to a request
-- @treturn boolean|nil
-- @treturn nil|string why nothing can be presented here
local function prepare(apply)
  local ok = pcall(follow_into_subrequests, apply)
  if not ok then
    return nil, "it has no kong.runloop.upstream_ssl"
  end

  local balancer = require("kong").balancer
  if kong.configuration[POOL_SIZE] == 0 or reads(balancer, "client_certificate") then
    return true
  end

  if not reads(balancer, POOL_SIZE) then
    return nil, "its balancer names keepalive pools in an unknown way"
  end

  switch_off_for_ours()
  kong.log.warn("this Kong (", kong.version, ") cannot keep the identities in its keepalive pool apart: ",
                "requests with upstream-mtls use a new connection each")
  return true
end


--- Name the pool of a request after the identity that it presents.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table service the service as Kong found it
-- @tparam table identity `id`; `copies` of services are kept in it
local function split(ctx, service, identity)
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

  ctx.service = copy
end


--- The id of the certificate that the service's Upstream entity names by itself. Kong presents it where the service
-- has none, which a replaced service hides.
-- @tparam table ctx the request's ngx.ctx
-- @treturn string|nil
local function upstream_certificate_id(ctx)
  local target = ctx.balancer_data
  if target.type ~= "name" then
    return nil
  end

  local upstream = require("kong.runloop.balancer").get_upstream_by_name(target.host)
  return upstream and upstream.client_certificate and upstream.client_certificate.id or nil
end


return {
  prepare = prepare,
  split = split,
  upstream_certificate_id = upstream_certificate_id,
}
