--- Reads certificates and trust anchors repeatedly, in each worker.


local expiry = require "kong.plugins.upstream-mtls.expiry"
local instances = require "kong.plugins.upstream-mtls.instances"
local metrics = require "kong.plugins.upstream-mtls.metrics"
local sources = require "kong.plugins.upstream-mtls.sources"


local kong = kong
local ngx = ngx
local pcall = pcall


-- Seconds, as long as no config says otherwise.
local IDLE = 10


-- Each schedule ends the one before it.
local current


local function refresh()
  local ok, err = pcall(sources.refresh)
  if not ok then
    kong.log.err("cannot read the client certificates: ", err)
  end

  local all = instances.all()
  expiry.warn(all)
  metrics.observe(all)
end


--- Read after a delay, and from then on at the shortest reload_interval in use.
-- @tparam number delay seconds; 0 reads as soon as timers run, which references to vaults need: they have no values
-- before
local function schedule(delay)
  local mine = {}
  current = mine
  local ok, err = ngx.timer.at(delay, function(premature)
    if not premature and current == mine then
      refresh()
      schedule(instances.interval() or IDLE)
    end
  end)

  if not ok then
    kong.log.err("cannot schedule the reload of client certificates: ", err)
  end
end


--- Read when Kong's entities have changed, too. In database mode only the worker that handled the Admin API call
-- receives `crud` events; the others read at their next interval.
local function follow_entities()
  local events = kong.worker_events
  events.register(refresh, "declarative", "reconfigure")
  events.register(refresh, "crud", "certificates")
  events.register(refresh, "crud", "ca_certificates")
end


return {
  schedule = schedule,
  follow_entities = follow_entities,
}
