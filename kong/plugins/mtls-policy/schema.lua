local typedefs = require "kong.db.schema.typedefs"
local config = require "kong.plugins.mtls-policy.config"
local document = require "kong.plugins.mtls-policy.document"
local native = require "kong.plugins.mtls-policy.native"


local ipairs = ipairs
local pairs = pairs
local gmatch = string.gmatch
local match = string.match


-- Effective values of fields that are left out, as the core has them (docs/policy.md).
local DEFAULTS = {
  authentication = "api_key",
  key_names = { "apikey" },
  key_in_header = true,
  key_in_query = true,
  key_in_body = false,
  hide_credentials = false,
  run_on_preflight = true,
}


-- Problems by the field in which they are, each with its whole path.
local function by_field(problems)
  local errors = {}
  for problem in gmatch(problems, "[^\n]+") do
    local field = match(problem, "^([%w_]+)[^:%s]*: ")
    if field then
      errors[field] = errors[field] and errors[field] .. "; " .. problem or problem
    else
      errors["@entity"] = errors["@entity"] or {}
      errors["@entity"][#errors["@entity"] + 1] = problem
    end
  end

  return errors
end


-- The core finds all problems at once. The content of a consumers file changes without the config, and is checked
-- when it is read.
local function validate(conf)
  local problems = native.problems_of(document.policy(conf))
  if problems then
    return nil, by_field(problems)
  end

  return true
end


local function with_defaults(fields)
  local all = {}
  for i, field in ipairs(fields) do
    all[i] = {}
    for name, definition in pairs(field) do
      local copy = {}
      for key, value in pairs(definition) do
        copy[key] = value
      end

      copy.default = DEFAULTS[name]
      all[i][name] = copy
    end
  end

  return all
end


local validated = { custom_validator = validate }
for name, value in pairs(config) do
  validated[name] = value
end

validated.fields = with_defaults(config.fields)


return {
  name = "mtls-policy",
  fields = {
    { protocols = typedefs.protocols_http },
    -- As for a filter.
    { consumer = typedefs.no_consumer },
    { config = validated },
  },
}
