--- Looks at certificates and trust anchors again and again, in each worker by itself.


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


local function look()
  local ok, err = pcall(sources.look)
  if not ok then
    kong.log.err("looking at the client certificates failed: ", err)
  end

  expiry.look(instances.all)
  metrics.observe(instances.all)
end


--- Look after a delay, and from then on at the shortest reload_interval in use.
-- @tparam number delay seconds; 0 looks as soon as timers run, which references to vaults need: they have no values
-- before
local function schedule(delay)
  local mine = {}
  current = mine
  local ok, err = ngx.timer.at(delay, function(premature)
    if not premature and current == mine then
      look()
      schedule(instances.interval() or IDLE)
    end
  end)

  if not ok then
    kong.log.err("client certificates are no longer reloaded: ", err)
  end
end


--- Look when Kong's entities have changed, too.
local function follow_entities()
  local events = kong.worker_events
  events.register(look, "declarative", "reconfigure")
  events.register(look, "crud", "certificates")
  events.register(look, "crud", "ca_certificates")
end


return {
  schedule = schedule,
  follow_entities = follow_entities,
}
