--- Whether mtls-policy is configured for a route or its service, according to Kong's database.
--
-- Kong's workers and nodes learn of changes at different times, and a worker that cannot rebuild its filter chains
-- keeps the old ones. The answer therefore does not come from events or from the state that the worker serves with.
-- It is read from the database (LMDB without one) for each route, and kept for as long as the cluster-wide version in
-- Kong's core cache stays the same. Kong invalidates that version on every worker and node when a policy changes
-- (runloop/events.lua, seen in 3.4 to 3.9). A route that is new to the worker is read from the database at its first
-- request, so that a policy that existed before that request is never missed.


local kong = kong
local ipairs = ipairs
local pcall = pcall
local require = require
local type = type


local NAME = "mtls-policy"
local NONE = { required = false, count = 0 }
local NOTHING = {}
local DEFAULT_KEY_NAMES = { "apikey" }
local PERMANENT = { ttl = 0 }


local uuid
do
  local ok, tools = pcall(require, "kong.tools.uuid")
  -- Kong 3.4
  uuid = ok and tools.uuid or require("kong.tools.utils").uuid
end


-- The answers of one version, by the ids of routes.
local answers = { version = nil, by_route = {} }


-- Whether this Kong runs mtls-policy as a filter.
local is_filter


-- The error of the last rebuild of filter chains, if it failed.
local rebuild_error


local function version()
  local key = is_filter and "filter_chains:version" or "plugins_iterator:version"
  return kong.core_cache:get(key, PERMANENT, uuid)
end


local function requirement_of(config)
  local fields = type(config) == "table" and config or NOTHING
  local default, names = fields.client_certificate, fields.key_names
  return {
    required = true,
    count = 1,
    default_certificate = type(default) == "string" and default or nil,
    hidden_names = fields.hide_credentials == true and (type(names) == "table" and names or DEFAULT_KEY_NAMES) or nil,
  }
end


local function union(list, more)
  if not list or not more then
    return list or more
  end

  local all = {}
  for _, each in ipairs({ list, more }) do
    for _, name in ipairs(each) do
      all[#all + 1] = name
    end
  end

  return all
end


local function merge(found, more)
  if not found.required then
    return more
  end

  -- With two policies it is unknown which one selects the certificate.
  return {
    required = true,
    count = found.count + more.count,
    hidden_names = union(found.hidden_names, more.hidden_names),
  }
end


local function add_plugins(found, route, service, workspace)
  local plugins = kong.db.plugins
  local scopes = { { route.id } }
  if service then
    scopes = { { route.id, service.id }, { route.id }, { nil, service.id } }
  end

  if not is_filter then
    scopes[#scopes + 1] = {}
  end

  for _, scope in ipairs(scopes) do
    local key = plugins:cache_key(NAME, scope[1], scope[2], nil, nil, workspace)
    local plugin, err = plugins:select_by_cache_key(key)
    if err then
      return nil, err
    end

    if plugin and plugin.enabled then
      found = merge(found, requirement_of(plugin.config))
      if not is_filter then
        -- a plugin of a narrower scope replaces the others
        break
      end
    end
  end

  return found
end


local function add_filter_chains(found, route, service, workspace)
  local chains = kong.db.filter_chains
  for _, scope in ipairs({ { route.id, "" }, service and { "", service.id } }) do
    local chain, err = chains:select_by_cache_key(chains:cache_key(scope[1], scope[2], nil, nil, nil, workspace))
    if err then
      return nil, err
    end

    for _, filter in ipairs(chain and chain.enabled and chain.filters or {}) do
      if filter.name == NAME and filter.enabled then
        found = merge(found, requirement_of(filter.config))
      end
    end
  end

  return found
end


local function read(route, service)
  local found, err = add_plugins(NONE, route, service, route.ws_id)
  if found and is_filter then
    found, err = add_filter_chains(found, route, service, route.ws_id)
  end

  return found, err
end


--- What is configured for a route and its service. May yield.
-- @tparam table route
-- @tparam table service
-- @treturn table|nil `required`: whether mtls-policy has to decide; `count`: how many policies; `default_certificate`:
-- the one that its policy selects where no rule says otherwise; `hidden_names`: of the keys that it hides
-- @treturn nil|string why it cannot be read
local function requirement(route, service)
  local now, err = version()
  if not now then
    return nil, err or "no version in the core cache"
  end

  local current = answers
  if current.version ~= now then
    current = { version = now, by_route = {} }
    answers = current
  end

  local known = current.by_route[route.id]
  local service_id = service and service.id
  if known and known.service_id == service_id then
    return known.requirement
  end

  local found
  found, err = read(route, service)
  if not found then
    return nil, err
  end

  current.by_route[route.id] = { service_id = service_id, requirement = found }
  return found
end


-- Kong limitation: if any filter rejects its configuration, Kong keeps the filter chains of all routes as they were,
-- and tries again each second (kong/runloop/wasm.lua, seen in 3.4 to 3.9). Policies that were changed or deleted
-- since would go on deciding. Kong's runloop calls both functions through the module's table.
local function watch_rebuilds(wasm)
  for _, name in ipairs({ "update_in_place", "rebuild_state" }) do
    local rebuild = wasm[name]
    if rebuild then
      wasm[name] = function(...)
        local result, err = rebuild(...)
        rebuild_error = not result and (err or "unknown error") or nil
        return result, err
      end
    end
  end
end


-- Kong limitation: a filter chain of a service and a route together is built when filters change, but not when a route
-- moves to another service (crud_wasm_handler in kong/runloop/events.lua, seen in 3.9.3). Until then the filters of the
-- service run alone, and the request is rejected because the route's policy does not decide. Kong posts `crud` events
-- on the worker that handled the Admin API call; the invalidation reaches all workers and nodes.
local function follow_moved_routes()
  kong.worker_events.register(function(data)
    local entity, old = data.entity, data.old_entity
    local service, old_service = entity and entity.service, old and old.service
    if (service and service.id) ~= (old_service and old_service.id) then
      kong.core_cache:invalidate("filter_chains:version")
    end
  end, "crud", "routes:update")
end


--- Why this worker's filter chains are not those of the database.
-- @treturn string|nil the error of the last rebuild; nil if it succeeded
local function stale_reason()
  return rebuild_error
end


--- Find out how this Kong runs mtls-policy. Once, when a worker starts.
-- @treturn boolean whether it runs it at all
local function prepare()
  local ok, wasm = pcall(require, "kong.runloop.wasm")
  is_filter = ok and wasm.filters_by_name ~= nil and wasm.filters_by_name[NAME] ~= nil
  if is_filter then
    watch_rebuilds(wasm)
    follow_moved_routes()
  end

  return is_filter or kong.configuration.loaded_plugins[NAME] ~= nil
end


--- Whether mtls-policy runs as a filter, after all Lua plugins.
local function runs_as_filter()
  return is_filter
end


return {
  prepare = prepare,
  requirement = requirement,
  stale_reason = stale_reason,
  runs_as_filter = runs_as_filter,
}
