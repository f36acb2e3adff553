--- Metrics of the plugin, its fields for log plugins, and the debug header.
--
-- No metric names a consumer.


local kong = kong
local ngx = ngx
local pairs = pairs
local require = require
local setmetatable = setmetatable


local DEBUG_HEADER = "X-Kong-Upstream-Client-Certificate"


-- Seconds between two deliveries of what was counted. Counting is one addition: a handler for the log phase would cost
-- each request as much as all the rest of this plugin.
local FLUSH_INTERVAL = 1


local requests, rejections, seconds_left, reloaded


-- route -> name of the certificate -> outcome -> count; a route goes when Kong's router is rebuilt
local counts = setmetatable({}, { __mode = "k" })


local function flush(premature)
  for _, of_route in pairs(counts) do
    for _, of_certificate in pairs(of_route) do
      for _, count in pairs(of_certificate) do
        -- one that was taken back in the meantime waits for the next request
        if count.n > 0 then
          requests:inc(count.n, count.labels)
          count.n = 0
        end
      end
    end
  end

  if not premature then
    ngx.timer.at(FLUSH_INTERVAL, flush)
  end
end


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
  rejections = prometheus:counter(
    "upstream_mtls_undecided_requests_total",
    "Requests rejected because mtls-policy did not decide on them, by reason",
    { "service", "route", "reason" })
  seconds_left = prometheus:gauge(
    "upstream_mtls_expiry_seconds",
    "Seconds until the client certificate, the first of the trust anchors or the first of the CRLs expires",
    { "name", "source" },
    prometheus.LOCAL_STORAGE)
  reloaded = prometheus:gauge(
    "upstream_mtls_last_reload_successful",
    "Whether the newest version of the client certificate or trust anchors is active",
    { "name", "source" },
    prometheus.LOCAL_STORAGE)
  flush()
end


local function observe_one(name, entry)
  local labels = { name, entry.location }
  reloaded:set(entry.last_error and 0 or 1, labels)
  if entry.active then
    seconds_left:set(entry.active.not_after - ngx.time(), labels)
  end
end


--- Set the gauges to the active versions.
-- @tparam table all the instances, as values
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

    if instance.revocations then
      observe_one("", instance.revocations)
    end
  end
end


local function name_of(entity)
  return entity and (entity.name or entity.id) or ""
end


local function child(parent, key)
  local found = parent[key]
  if not found then
    found = {}
    parent[key] = found
  end

  return found
end


local function count_of(request, name, outcome)
  local of_certificate = child(child(counts, request.route), name)
  local count = of_certificate[outcome]
  if not count then
    count = { n = 0, labels = { name_of(request.service), name_of(request.route), name, outcome } }
    of_certificate[outcome] = count
  end

  return count
end


--- Count what became of a request, and tell log plugins. A later outcome takes the place of an earlier one.
-- @tparam table request its state in connection.lua
-- @tparam string|nil name of the certificate
-- @tparam string outcome "presented", "nothing to present", "nothing selected" (yet) or why it was refused
local function record(request, name, outcome)
  local log = request.log
  if not log then
    log = {}
    request.log = log
    kong.log.set_serialize_value("upstream_mtls", log)
  end

  log.client_certificate = name
  log.fingerprint = outcome == "presented" and request.certificate.fingerprint or nil
  log.outcome = outcome

  if not requests then
    return
  end

  local before, count = request.count, count_of(request, name or "", outcome)
  if before then
    before.n = before.n - 1
  end

  count.n = count.n + 1
  request.count = count
end


--- Count a request that is rejected because mtls-policy has not decided on it. Does not yield.
-- @tparam table ctx the request's ngx.ctx
-- @tparam string reason "no decision" or "invalid policy"
local function count_rejection(ctx, reason)
  if rejections then
    rejections:inc(1, { name_of(ctx.service), name_of(ctx.route), reason })
  end
end


--- Name what was presented to a client that asks for Kong's debug headers, where Kong has them on.
local function debug_header(ctx)
  local request = ctx.upstream_mtls
  if request and request.name and request.certificate and kong.request.get_header("Kong-Debug") then
    kong.response.set_header(DEBUG_HEADER, request.name)
  end
end


return {
  prepare = prepare,
  observe = observe,
  record = record,
  count_rejection = count_rejection,
  debug_header = debug_header,
}
