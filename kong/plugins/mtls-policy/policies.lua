--- The plugin's configs, compiled: once for each change, in each worker.


local consumers = require "kong.plugins.mtls-policy.consumers"
local document = require "kong.plugins.mtls-policy.document"
local native = require "kong.plugins.mtls-policy.native"
local resty_sha256 = require "resty.sha256"


local kong = kong
local ngx = ngx
local ipairs = ipairs
local pairs = pairs
local setmetatable = setmetatable
local collectgarbage = collectgarbage


-- Kilobytes by which the collector is helped on after a change, and seconds between two helps.
local STEP = 2048
local STEP_INTERVAL = 0.02
local CYCLES = 3


local DEFAULT_KEY_NAMES = { "apikey" }


-- By config. Kong hands the very table that it configured to every request, and drops it with the config; so an entry
-- must not refer to it. An entry: `policy`, in force, which is `last_good` too unless it never was; `file` and
-- `document`, from which to compile it again when a consumers file changes; `key_names`; `plugin_id`.
local entries = setmetatable({}, { __mode = "k" })


-- What is in force, by plugin and what it was compiled from: a config that has not changed is not compiled again. And
-- by plugin alone, so that the last good one outlives a change that is not. Weak: entries keep them. No two plugins
-- share one: they may be of two workspaces, whose consumers of one name are two.
local by_document = setmetatable({}, { __mode = "v" })
local by_plugin = setmetatable({}, { __mode = "v" })


local function digest(text)
  local sha256 = resty_sha256:new()
  sha256:update(text)
  return sha256:final()
end


--- @treturn table `handle`; `wants`, what it looks at; `key_names`; `callers`, what Kong makes of its consumers, by
-- their numbers
local function new(handle, key_names)
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
    },
    key_names = key_names,
    callers = {},
  }
end


local function compile(text, entry)
  local of_file = entry.file and entry.file.active
  local key = (entry.plugin_id or "") .. digest(text)
  local known = not entry.file and by_document[key]
  if known then
    return known
  end

  local handle, problems = native.compile(text, of_file)
  local policy = new(handle, entry.key_names)
  if problems then
    return policy, problems
  end

  if not entry.file then
    by_document[key] = policy
  end

  return policy
end


local function take_over(entry, text)
  local policy, problems = compile(text, entry)
  if problems then
    local last = entry.last_good or entry.plugin_id and by_plugin[entry.plugin_id]
    kong.log.err("the policy is not valid: ", problems, last and " (the last good one stays in force)" or "")
    entry.policy, entry.last_good = last or policy, last
    return
  end

  entry.policy, entry.last_good = policy, policy
  if entry.plugin_id then
    by_plugin[entry.plugin_id] = policy
  end
end


local function build(conf)
  local text = document.policy(conf)
  local path = conf.consumers_file
  local entry = {
    plugin_id = conf.__plugin_id,
    file = path and consumers.file(path) or nil,
    document = path and text or nil,
    key_names = conf.key_names or DEFAULT_KEY_NAMES,
  }
  take_over(entry, text)

  -- For each request Kong walks through the whole config, looking for references to vaults.
  conf.consumers, conf.rules = nil, nil
  entries[conf] = entry
  return entry
end


-- The collector does not know how large a policy is, and an idle worker makes no garbage that would get it going. In
-- steps, which delay no request for long.
local function give_back(cycles)
  ngx.timer.at(STEP_INTERVAL, function(premature)
    if premature then
      return
    end

    if collectgarbage("step", STEP) then
      cycles = cycles - 1
    end

    if cycles > 0 then
      give_back(cycles)
    end
  end)
end


--- The policy of a config. Kong 3.4 announces no configs: there it is compiled for the first request.
local function of(conf)
  return (entries[conf] or build(conf)).policy
end


--- Take over the configs that are about to be in force.
-- @tparam {table,...}|nil configs
local function configure(configs)
  for _, conf in ipairs(configs or {}) do
    if not entries[conf] then
      build(conf)
    end
  end

  give_back(CYCLES)
end


--- Take over what a consumers file holds now.
-- @tparam table file
local function follow(file)
  for _, entry in pairs(entries) do
    if entry.file == file then
      take_over(entry, entry.document)
    end
  end

  give_back(CYCLES)
end


return {
  of = of,
  configure = configure,
  follow = follow,
}
