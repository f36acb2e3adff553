--- Configs as JSON documents, as the core reads them.


local cjson = require "cjson"
local config = require "kong.plugins.mtls-policy.config"


local ipairs = ipairs
local pairs = pairs
local setmetatable = setmetatable
local type = type


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


--- A plugin config. Kong keeps fields of its own in it.
-- @tparam table conf
-- @treturn string
local function policy(conf)
  local own = {}
  for _, each in ipairs(config.fields) do
    for name in pairs(each) do
      own[name] = conf[name]
    end
  end

  return cjson.encode(shaped(own, config))
end


return {
  policy = policy,
}
