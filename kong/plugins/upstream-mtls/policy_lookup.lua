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
local NONE = { required = false }
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


local function version()
  local key = is_filter and "filter_chains:version" or "plugins_iterator:version"
  return kong.core_cache:get(key, PERMANENT, uuid)
end


local function requirement_of(config)
  local default = type(config) == "table" and config.client_certificate
  return { required = true, default_certificate = type(default) == "string" and default or nil }
end


local function merge(found, more)
  -- With two policies it is unknown which one selects the certificate.
  return found.required and { required = true } or more
end


local function add_plugins(found, route, service, workspace)
  local plugins = kong.db.plugins
  local scopes = { { route.id, service.id }, { route.id }, { nil, service.id }, {} }
  for i = 1, is_filter and 3 or 4 do
    local scope = scopes[i]
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
  for _, scope in ipairs({ { route.id, "" }, { "", service.id } }) do
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
-- @treturn table|nil `required`: whether mtls-policy has to decide; `default_certificate`: the one that its policy
-- selects where no rule says otherwise
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
  if known and known.service_id == service.id then
    return known.requirement
  end

  local found
  found, err = read(route, service)
  if not found then
    return nil, err
  end

  current.by_route[route.id] = { service_id = service.id, requirement = found }
  return found
end


--- Find out how this Kong runs mtls-policy. Once, when a worker starts.
-- @treturn boolean whether it runs it at all
local function prepare()
  local ok, wasm = pcall(require, "kong.runloop.wasm")
  is_filter = ok and wasm.filters_by_name ~= nil and wasm.filters_by_name[NAME] ~= nil
  return is_filter or kong.configuration.loaded_plugins[NAME] ~= nil
end


--- Whether mtls-policy runs as a filter, after all Lua plugins.
local function runs_as_filter()
  return is_filter
end


return {
  prepare = prepare,
  requirement = requirement,
  runs_as_filter = runs_as_filter,
}
