--- Everything that lies below Kong's plugin interface. Seen on Kong 3.9.1; read in 3.4.2 to 3.9.3 and in 3.10's source.
--
-- What it leans on is tested when a worker starts. Where a Kong does not offer it, nothing is presented, aloud.
--
-- **Pools.** Kong 3.4 to 3.9 name a keepalive pool `ip|port|server name|service.client_certificate.id`; 3.10 puts
-- tls_verify, its depth and the CA ids in between. A certificate that a plugin sets is in neither, so that without a
-- cure the next request goes out on a connection that was authenticated as somebody else. The cure: for the request,
-- the service is replaced by a copy whose client_certificate has the identity as its id. For grpcs the name is only
-- `ip|port`: our requests are named as https is. A Kong whose balancer does not read the id gets no pool for them.
--
-- **Buffered responses.** For a plugin that wants the whole response (a `response` handler, enable_buffering) Kong
-- makes a subrequest. To that it applies `ctx.service`'s TLS settings anew: ours must follow. And it is made before
-- filters run, which are then skipped in silence, authentication and all: see gate.lua.


local kong = kong
local ngx = ngx
local assert = assert
local find = string.find
local pairs = pairs
local pcall = pcall
local rawset = rawset
local require = require
local setmetatable = setmetatable
local dump = string.dump


local POOL_SIZE = "upstream_keepalive_pool_size"
local WEAK = { __mode = "k" }


-- Whether a function reads a field of that name: the name is among its constants. That needs no source text, which
-- not every distribution of Kong ships, and says no where a later Kong does it elsewhere.
local function reads(fn, name)
  return find(dump(fn, true), name, 1, true) ~= nil
end


-- nginx calls Kong.balancer for each try; it does not yield.
local function around_balancer(before, after)
  local Kong = require "kong"
  local balancer = Kong.balancer
  Kong.balancer = function()
    local ctx = ngx.ctx
    if not ctx.upstream_mtls then
      return balancer()
    end

    local saved = before(ctx)
    balancer()
    after(ctx, saved)
  end
end


local function switch_pool_off_for_ours()
  around_balancer(function()
    rawset(kong.configuration, POOL_SIZE, 0)
  end, function()
    rawset(kong.configuration, POOL_SIZE, nil)
  end)
end


local named_as_https = false
local function name_as_https()
  if named_as_https then
    return
  end

  named_as_https = true
  around_balancer(function(ctx)
    local scheme = ctx.balancer_data.scheme
    ctx.balancer_data.scheme = "https"
    return scheme
  end, function(ctx, scheme)
    ctx.balancer_data.scheme = scheme
  end)
end


local function prepare_pools()
  local balancer = require("kong").balancer
  if kong.configuration[POOL_SIZE] == 0 or reads(balancer, "client_certificate") then
    return
  end

  assert(reads(balancer, POOL_SIZE), "its balancer names keepalive pools in an unknown way")
  switch_pool_off_for_ours()
  kong.log.warn("this Kong (", kong.version, ") cannot keep identities in its keepalive pools apart: requests with ",
                "upstream-mtls use a new connection each")
end


-- nginx_kong.lua, kong_buffered_http, since 3.4.2.
local function follow_into_subrequests(apply)
  local upstream_ssl = require "kong.runloop.upstream_ssl"
  local set_service_ssl = assert(upstream_ssl.set_service_ssl, "kong.runloop.upstream_ssl has changed")
  upstream_ssl.set_service_ssl = function(ctx)
    local request = ctx and ctx.upstream_mtls
    if not request then
      return set_service_ssl(ctx)
    end

    set_service_ssl({ service = request.service })
    return apply(request)
  end
end


-- Before every connection to an upstream.
local function stand_before_balancer(is_open)
  local Kong = require "kong"
  local balancer = assert(Kong.balancer, "it has no Kong.balancer")
  Kong.balancer = function()
    if not is_open() then
      return ngx.exit(503)
    end

    return balancer()
  end
end


-- runloop/handler.lua, wasm_attach, after the access handlers; init.lua, Kong.access, then calls Kong.response for what
-- is buffered instead of returning to nginx and so to the filters; Kong.balancer comes before every connection.
local function stand_before_upstreams(gate)
  local Kong = require "kong"
  local wasm = require "kong.runloop.wasm"
  local attach = assert(wasm.attach, "kong.runloop.wasm has no attach")
  local response = assert(Kong.response, "it has no Kong.response")
  wasm.attach = function(ctx)
    return gate.attach(ctx, attach)
  end

  stand_before_balancer(gate.is_open)
  Kong.response = function()
    if not gate.is_open() then
      return gate.refuse_buffering()
    end

    return response()
  end
end


--- Do something for each request that goes on to its upstream, when the last plugin's access handler has run (init.lua,
-- Kong.access).
-- @tparam function fn may answer the client
local function after_plugins(fn)
  local access = assert(require("kong.runloop.handler").access, "kong.runloop.handler has no access")
  local after = assert(access.after, "kong.runloop.handler has no access.after")
  access.after = function(ctx)
    fn(ctx)
    return after(ctx)
  end
end


--- Find out what this Kong offers. Once, when a worker starts.
-- @tparam function apply presents again what was presented to a request
-- @tparam table gate what stands before the upstreams where filters decide
-- @treturn boolean|nil
-- @treturn nil|string why nothing can be presented here
local function prepare(apply, gate)
  return pcall(function()
    follow_into_subrequests(apply)
    prepare_pools()
    if gate.prepare() then
      stand_before_upstreams(gate)
    elseif gate.is_plugin() then
      stand_before_balancer(gate.is_carried_out)
    end
  end)
end


--- Name the pool of a request after the identity that it presents.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table service the service as Kong found it
-- @tparam table identity `id`; `copies` of services are kept in it
-- @tparam string scheme what the upstream speaks
local function split_pool(ctx, service, identity, scheme)
  if scheme ~= "https" then
    name_as_https()
  end

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
  after_plugins = after_plugins,
  split_pool = split_pool,
  upstream_certificate_id = upstream_certificate_id,
}
