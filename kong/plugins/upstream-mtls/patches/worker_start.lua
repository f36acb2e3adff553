--- Rejects all requests of a worker in which Kong has not started the plugins.
--
-- Kong limitation: if a worker starts while the database cannot be reached, Kong.init_worker returns before it starts
-- the plugins, and the worker serves with the configuration that the master process has read, until Kong is restarted
-- (init.lua, seen in 3.9.3). Then nothing of what these plugins patch is in place: no connection is kept apart, and
-- changes of policies have no effect. The only place that is left is the `init` phase, in which Kong loads the plugins.


local ngx = ngx
local package = package


local started = false
local patched = false


--- Close workers until they have started. When Kong loads a plugin.
local function close()
  -- not loaded in Kong's command line
  local Kong = package.loaded["kong"]
  if patched or not Kong or not Kong.access then
    return
  end

  patched = true
  local access = Kong.access
  Kong.access = function()
    if not started then
      ngx.log(ngx.ERR, "503: this worker could not read its configuration when it started: restart Kong")
      return ngx.exit(503)
    end

    return access()
  end

  -- An entry of a log plugin would show API keys, which nothing has hidden.
  local log = Kong.log
  Kong.log = function()
    if started then
      return log()
    end
  end
end


--- Open this worker. When Kong starts a plugin.
local function open()
  started = true
end


return {
  close = close,
  open = open,
}
