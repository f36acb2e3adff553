--- What the plugin counts and tells: Kong's Prometheus endpoint, the log serializer, the debug header.
--
-- No metric names a consumer.


local kong = kong
local ngx = ngx
local pairs = pairs
local require = require


local DEBUG_HEADER = "X-Kong-Upstream-Client-Certificate"


local requests, seconds_left, reloaded


--- Register the metrics where the prometheus plugin is loaded. Once, when a worker starts.
local function prepare()
  if not kong.configuration.loaded_plugins.prometheus then
    return
  end

  local prometheus = require("kong.plugins.prometheus.exporter").get_prometheus()
  if not prometheus then
    return
  end

  requests = prometheus:counter(
    "upstream_mtls_requests_total",
    "Requests by what was presented to the upstream",
    { "service", "route", "certificate", "outcome" })
  seconds_left = prometheus:gauge(
    "upstream_mtls_expiry_seconds",
    "Seconds until the client certificate, or the first of the trust anchors, expires",
    { "name", "source" },
    prometheus.LOCAL_STORAGE)
  reloaded = prometheus:gauge(
    "upstream_mtls_last_reload_successful",
    "Whether the newest version of the client certificate or trust anchors is in force",
    { "name", "source" },
    prometheus.LOCAL_STORAGE)
end


local function observe_one(name, entry)
  local labels = { name, entry.place }
  reloaded:set(entry.trouble and 0 or 1, labels)
  if entry.in_force then
    seconds_left:set(entry.in_force.not_after - ngx.time(), labels)
  end
end


--- Set the gauges to what is in force.
-- @tparam table all the instances, as keys' values
local function observe(all)
  if not requests then
    return
  end

  seconds_left:reset()
  reloaded:reset()
  for _, instance in pairs(all) do
    for name, entry in pairs(instance.certificates) do
      observe_one(name, entry)
    end

    for _, entry in pairs(instance.entities) do
      observe_one("", entry)
    end

    if instance.anchors then
      observe_one("", instance.anchors)
    end
  end
end


local function name_of(entity)
  return entity and (entity.name or entity.id) or ""
end


--- Count a request, and tell log plugins about it.
-- @tparam table ctx the request's ngx.ctx
local function log(ctx)
  local request = ctx.upstream_mtls
  if not request then
    return
  end

  local certificate = request.certificate
  local outcome = request.refused or (certificate and "presented" or "nothing to present")
  kong.log.set_serialize_value("upstream_mtls", {
    client_certificate = request.name,
    fingerprint = certificate and certificate.fingerprint,
    outcome = outcome,
  })

  if requests then
    requests:inc(1, { name_of(request.service), name_of(ctx.route), request.name or "", outcome })
  end

  -- whoever logs after us sees the service as it is configured
  ctx.service = request.service
end


--- Name what was presented to a client that asks for Kong's debug headers, where Kong has them on.
local function debug_header(ctx)
  local request = ctx.upstream_mtls
  if request and request.certificate and kong.request.get_header("Kong-Debug") then
    kong.response.set_header(DEBUG_HEADER, request.name)
  end
end


return {
  prepare = prepare,
  observe = observe,
  log = log,
  debug_header = debug_header,
}
