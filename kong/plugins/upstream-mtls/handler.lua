--- Presents client certificates to upstreams, verifies the upstreams, and keeps connections of different identities
-- apart.


local certificate_references = require "kong.plugins.upstream-mtls.certificate_references"
local connection = require "kong.plugins.upstream-mtls.connection"
local consumer = require "kong.plugins.upstream-mtls.consumer"
local decision = require "kong.plugins.upstream-mtls.decision"
local decision_guard = require "kong.plugins.upstream-mtls.decision_guard"
local filter_chains = require "kong.plugins.upstream-mtls.patches.filter_chains"
local instances = require "kong.plugins.upstream-mtls.instances"
local metrics = require "kong.plugins.upstream-mtls.metrics"
local properties = require "kong.plugins.upstream-mtls.properties"
local property_callbacks = require "kong.plugins.upstream-mtls.patches.property_callbacks"
local watch = require "kong.plugins.upstream-mtls.watch"
local worker_start = require "kong.plugins.upstream-mtls.patches.worker_start"


local kong = kong
local ngx = ngx


local UpstreamMtls = {
  VERSION = "0.1.0",
  -- After authentication and acl (950), so that a consumer's own config applies, and after rate-limiting (910), so
  -- that a rejected request costs nothing here; before plugins that rewrite the request (801).
  PRIORITY = 900,
}


local WASM = kong.configuration.wasm


worker_start.close()


function UpstreamMtls:init_worker()
  certificate_references.protect()
  if kong.configuration.role == "control_plane" then
    return
  end

  -- The order of these two is the order of their checks after the last plugin.
  decision_guard.prepare()
  connection.prepare()
  metrics.prepare()
  properties.prepare()
  if WASM then
    filter_chains.prepare()
    property_callbacks.prepare()
  end

  watch.follow_entities()
  watch.schedule(0)
  worker_start.open()
end


function UpstreamMtls:configure(configs)
  instances.configure(configs)
  watch.schedule(0)
end


function UpstreamMtls:access(conf)
  local ctx = ngx.ctx
  decision.decide_deferred(ctx)
  if WASM then
    consumer.prepare(ctx)
  end

  local message, reason = connection.configure(ctx, conf, decision_guard.default_certificate(ctx))
  if message then
    decision_guard.hide_keys(ctx)
    kong.log.err(message, ": ", reason)
    return kong.response.error(503, message)
  end
end


if kong.configuration.allow_debug_header then
  function UpstreamMtls:header_filter()
    metrics.debug_header(ngx.ctx)
  end
end


return UpstreamMtls
