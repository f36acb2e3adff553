--- Presents client certificates to upstreams, verifies the upstreams, and keeps identities apart.


local choice = require "kong.plugins.upstream-mtls.choice"
local consumer = require "kong.plugins.upstream-mtls.consumer"
local instances = require "kong.plugins.upstream-mtls.instances"
local metrics = require "kong.plugins.upstream-mtls.metrics"
local presentation = require "kong.plugins.upstream-mtls.presentation"
local wasm = require "kong.plugins.upstream-mtls.wasm"
local watch = require "kong.plugins.upstream-mtls.watch"


local kong = kong
local ngx = ngx


local UpstreamMtls = {
  VERSION = "0.1.0",
  -- After authentication and acl (950), so that a consumer's own config applies, and after rate-limiting (910), so
  -- that a refused request costs nothing here; before what rewrites the request (801).
  PRIORITY = 900,
}


local WASM = kong.configuration.wasm


function UpstreamMtls:init_worker()
  presentation.prepare()
  metrics.prepare()
  wasm.prepare()
  watch.follow_entities()
  watch.schedule(0)
end


function UpstreamMtls:configure(configs)
  instances.configure(configs)
  watch.schedule(0)
end


function UpstreamMtls:access(conf)
  local ctx = ngx.ctx
  if WASM then
    consumer.prepare(ctx)
  end

  local refusal, err = presentation.begin(ctx, conf, choice.take(ctx))
  if refusal then
    kong.log.err(refusal, ": ", err)
    return kong.response.error(503, refusal)
  end

  choice.carried_out(ctx)
end


if kong.configuration.allow_debug_header then
  function UpstreamMtls:header_filter()
    metrics.debug_header(ngx.ctx)
  end
end


return UpstreamMtls
