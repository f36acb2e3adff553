--- Lets no request to its upstream that mtls-policy has to decide on and has not.
--
-- Kong serves on without its filters where they could not be started: after one of them has refused its config at
-- start, after a change in a database that one of them refuses, and for responses that a plugin wants buffered (seen on
-- and read in 3.9.1). So for each request it is looked up whether the filter is configured for its route or service,
-- and the filter tells what it has decided (see wasm.lua).


local choice = require "kong.plugins.upstream-mtls.choice"


local kong = kong
local ngx = ngx
local ipairs = ipairs
local pcall = pcall
local require = require
local type = type


local FILTER = "mtls-policy"
local REFUSAL = "No valid policy"
local DECIDES = true
local ALL_WORKSPACES = { workspace = ngx.null, show_ws_id = true }


-- What the filter does by the ids of the routes and services for which it is configured, and whether that may have
-- changed: DECIDES; or the name of its policy's default certificate, where it has one and so selects a certificate for
-- each request that it allows.
local owing, stale = {}, true


local function mark_stale()
  stale = true
end


local function add(found, scope, config)
  local entity = scope.route or scope.service
  if entity then
    local default = type(config) == "table" and config.client_certificate
    -- of two it is not known which comes last
    found[entity.id] = not found[entity.id] and type(default) == "string" and default or DECIDES
  end
end


-- As kong/runloop/wasm.lua of Kong 3.9.1 puts chains together.
local function collect()
  local found = {}
  for chain, err in kong.db.filter_chains:each() do
    if err then
      return nil, err
    end

    for _, filter in ipairs(chain.enabled and chain.filters or {}) do
      if filter.name == FILTER and filter.enabled then
        add(found, chain, filter.config)
      end
    end
  end

  for plugin, err in kong.db.plugins:each(nil, ALL_WORKSPACES) do
    if err then
      return nil, err
    end

    if plugin.name == FILTER and plugin.enabled then
      add(found, plugin, plugin.config)
    end
  end

  return found
end


local function refresh()
  -- what changes while the database is read is read again
  stale = false
  local found, err = collect()
  if not found then
    stale = true
    return nil, err
  end

  owing = found
  return true
end


local function refuse(why)
  kong.log.err("503: ", why)
  return kong.response.error(503, REFUSAL)
end


local function owes_decision(ctx)
  local route, service = ctx.route, ctx.service
  return route and owing[route.id] or service and owing[service.id] or false
end


--- Where a request goes to no upstream before the filter has selected a certificate for it, the one that it selects if
-- no rule of its policy says otherwise.
-- @tparam table ctx the request's ngx.ctx
-- @treturn string|nil its name
local function default(ctx)
  local owed = not stale and owes_decision(ctx)
  return type(owed) == "string" and owed or nil
end


--- Whether the current request may go to its upstream.
local function is_open()
  local ctx = ngx.ctx
  if not ctx.mtls_policy_owed then
    return true
  end

  local request = ctx.upstream_mtls
  if request and request.awaits_selection then
    return false
  end

  return ctx.mtls_policy_decided or kong.ctx.shared.mtls_policy == "allowed"
end


--- Attach a request's filters, when the plugins' access handlers have run. From then on nothing may yield.
-- @tparam table ctx the request's ngx.ctx
-- @tparam function attach_filters Kong's own part of it
local function attach(ctx, attach_filters)
  if stale then
    local ok, err = refresh()
    if not ok then
      return refuse("it cannot be read whether " .. FILTER .. " has to decide on this request: " .. err)
    end
  end

  ctx.mtls_policy_owed = owes_decision(ctx)
  attach_filters(ctx)
  if ctx.mtls_policy_owed and not ctx.ran_wasm then
    return refuse(FILTER .. " is configured for this route and not running: see the errors at start or at the last " ..
                  "change of the config")
  end
end


--- Refuse a request whose response Kong would fetch before its filters run.
local function refuse_buffering()
  return refuse("a plugin on this route wants the response buffered: Kong would skip the route's filters, " ..
                FILTER .. " among them")
end


--- The filter has decided on the current request.
local function decided(ctx)
  ctx.mtls_policy_decided = true
end


--- Whether what mtls-policy, as a plugin, has chosen for the current request is carried out.
local function is_carried_out()
  if not choice.is_pending(ngx.ctx) then
    return true
  end

  kong.log.err("503: mtls-policy has chosen what upstream-mtls is to do, which is not configured for this request")
  return false
end


--- Whether this Kong runs the plugin of the filter's name.
local function is_plugin()
  return kong.configuration.loaded_plugins[FILTER] ~= nil
end


--- Whether this Kong runs the filter. From then on the gate follows what is configured.
local function prepare()
  local ok, wasm = pcall(require, "kong.runloop.wasm")
  if not ok or not wasm.filters_by_name[FILTER] then
    return false
  end

  local events = kong.worker_events
  events.register(mark_stale, "declarative", "reconfigure")
  events.register(mark_stale, "crud", "plugins")
  events.register(mark_stale, "crud", "filter_chains")
  return true
end


return {
  prepare = prepare,
  attach = attach,
  decided = decided,
  default = default,
  is_open = is_open,
  is_plugin = is_plugin,
  is_carried_out = is_carried_out,
  refuse_buffering = refuse_buffering,
}
