--- The plugin's configs, compiled: a policy for each plugin entity, once for each change, in each worker.


local consumers = require "kong.plugins.mtls-policy.consumers"
local document = require "kong.plugins.mtls-policy.document"
local native = require "kong.plugins.mtls-policy.native"


local kong = kong
local ngx = ngx
local ipairs = ipairs
local pairs = pairs
local setmetatable = setmetatable
local fmt = string.format
local collectgarbage = collectgarbage


-- Kilobytes of each step of the garbage collector after a change, and seconds between two steps. LuaJIT takes some 8 ms
-- for such a step.
local STEP = 512
local STEP_INTERVAL = 0.02
local CYCLES = 3


local DEFAULT_KEY_NAMES = { "apikey" }


-- An entry: `document`, the policy as JSON; `file`, its consumers file or nil; `policy`, the one in use; `is_valid`,
-- whether that is a valid one; `key_names`; `scope`, where its plugin entity applies.
--
-- By the ids of plugin entities, for the last known good policies. Replaced as a whole when Kong loads its plugins,
-- so that nothing outlives its entity.
local entries = {}


-- By config. Kong passes the table that it announced to every request, and drops it with the config; so an entry must
-- not refer to it.
local by_conf = setmetatable({}, { __mode = "k" })


-- @treturn table `handle`; `wants`, which parts of a request it reads; `key_names`, and the same as keys of
-- `is_key_name`; `hides_keys`; `callers`, Kong's objects for its consumers, by their numbers
local function new_policy(handle, entry)
  local wanted = native.C.mtls_policy_wants(handle)
  return {
    handle = handle,
    wants = {
      method = wanted.method,
      authority = wanted.authority,
      path = wanted.path,
      query = wanted.query,
      body = wanted.body,
      established = wanted.established,
      anonymous = wanted.anonymous,
    },
    key_names = entry.key_names,
    hides_keys = entry.hides_keys,
    callers = {},
  }
end


-- A last known good policy stays with its plugin entity, route and service.
local function scope_of(conf)
  return fmt("%s:%s:%s", conf.route_id or "", conf.service_id or "", conf.__ws_id or "")
end


local function reuse_unchanged(entry, previous)
  if previous.is_valid and previous.document == entry.document and previous.file == entry.file and not entry.file then
    entry.policy, entry.is_valid = previous.policy, true
    return true
  end
end


-- Compile an entry's policy. An invalid one rejects all requests, unless the last known good one stays in use.
local function update(entry, last_good)
  local file = entry.file
  if file and not file.active and file.loading and last_good then
    entry.policy, entry.is_valid = last_good, true
    return
  end

  -- The last known good content of a file belongs to the policies that have used it.
  local is_usable = file and (not file.last_error or last_good)
  local handle, problems = native.compile(entry.document, is_usable and file.active or nil)
  if not problems then
    entry.policy, entry.is_valid = new_policy(handle, entry), true
    return
  end

  if not (file and file.loading) then
    kong.log.err("invalid policy", last_good and ", the last known good one stays in use: " or ", its requests are " ..
                 "rejected with status 503: ", problems)
  end

  entry.policy = last_good or new_policy(handle, entry)
  entry.is_valid = last_good ~= nil
end


local function compile(conf, previous)
  local path = conf.consumers_file
  local entry = {
    scope = scope_of(conf),
    document = document.policy(conf),
    file = path and consumers.file(path) or nil,
    key_names = conf.key_names or DEFAULT_KEY_NAMES,
    hides_keys = conf.hide_credentials == true,
  }

  previous = previous and previous.scope == entry.scope and previous or nil
  if not previous or not reuse_unchanged(entry, previous) then
    update(entry, previous and previous.is_valid and previous.policy or nil)
  end

  document.detach_lists(conf)
  by_conf[conf] = entry
  return entry
end


-- The collector does not know how large a policy is, and an idle worker makes no garbage that would start it. In
-- steps, which delay no request for long.
local function collect_garbage(cycles)
  ngx.timer.at(STEP_INTERVAL, function(premature)
    if premature then
      return
    end

    if collectgarbage("step", STEP) then
      cycles = cycles - 1
    end

    if cycles > 0 then
      collect_garbage(cycles)
    end
  end)
end


--- The policy of a config. Kong 3.4 and 3.5 announce no configs: there it is compiled for the first request.
local function of(conf)
  local entry = by_conf[conf]
  if not entry then
    entry = compile(conf, entries[conf.__plugin_id])
    entries[conf.__plugin_id] = entry
  end

  return entry.policy
end


--- Take over the configs that are about to be active.
-- @tparam {table,...}|nil configs
local function configure(configs)
  local compiled, used = {}, {}
  for _, conf in ipairs(configs or {}) do
    local id = conf.__plugin_id
    if conf.consumers_file then
      used[conf.consumers_file] = true
    end

    compiled[id] = by_conf[conf] or compile(conf, entries[id])
  end

  entries = compiled
  consumers.retain(used)
  collect_garbage(CYCLES)
end


--- Take over the new content of a consumers file, or the error of its first read.
-- @tparam table file
local function follow(file)
  for _, entry in pairs(entries) do
    if entry.file == file then
      update(entry, entry.is_valid and entry.policy or nil)
    end
  end

  collect_garbage(CYCLES)
end


return {
  of = of,
  configure = configure,
  follow = follow,
}
