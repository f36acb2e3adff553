--- Configs as JSON documents, as the core reads them.


local cjson = require "cjson"
local config = require "kong.plugins.mtls-policy.config"


local ipairs = ipairs
local pairs = pairs
local setmetatable = setmetatable
local type = type


local KEY_DEFAULTS = {
  key_in_header = true,
  key_in_query = true,
  key_in_body = false,
  hide_credentials = false,
  run_on_preflight = true,
}


-- JSON has two kinds of empty table, and Lua has one: which it is, the schema says. What the schema does not know is
-- left for the core to complain about.
local function shaped(value, field)
  if type(value) ~= "table" or not field then
    return value
  end

  local copy = {}
  if field.type == "array" then
    for i, element in ipairs(value) do
      copy[i] = shaped(element, field.elements)
    end

    return setmetatable(copy, cjson.array_mt)
  end

  local named = {}
  for _, each in ipairs(field.fields or {}) do
    for name, inner in pairs(each) do
      named[name] = inner
    end
  end

  for name, element in pairs(value) do
    copy[name] = shaped(element, named[name] or field.values)
  end

  return copy
end


-- Kong fills in defaults of the fields about API keys, which have no meaning with `authentication: gateway`.
local function without_key_defaults(own)
  if own.authentication ~= "gateway" then
    return
  end

  for name, default in pairs(KEY_DEFAULTS) do
    if own[name] == default then
      own[name] = nil
    end
  end

  local names = own.key_names
  if type(names) == "table" and #names == 1 and names[1] == "apikey" then
    own.key_names = nil
  end
end


--- Returns a plugin config as a policy document. Kong keeps fields of its own in it.
-- @tparam table conf
-- @treturn string JSON
local function policy(conf)
  local own = {}
  for _, each in ipairs(config.fields) do
    for name in pairs(each) do
      own[name] = conf[name]
    end
  end

  without_key_defaults(own)
  return cjson.encode(shaped(own, config))
end


--- Detach the long lists of a config that is compiled.
--
-- Kong limitation: for each request Kong walks through the whole config of each plugin, looking for references to
-- vaults (kong.vault.update, seen in 3.4 to 3.10). A policy with thousands of consumers would cost each request as
-- much time as there are consumers. The table is the plugins iterator's own; what the Admin API shows is not affected.
local function detach_lists(conf)
  conf.consumers, conf.rules = nil, nil
end


return {
  policy = policy,
  detach_lists = detach_lists,
}
