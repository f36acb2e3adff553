local typedefs = require "kong.db.schema.typedefs"
local config = require "kong.plugins.mtls-policy.config"
local document = require "kong.plugins.mtls-policy.document"
local native = require "kong.plugins.mtls-policy.native"


local pairs = pairs


-- The core finds all that is wrong at once, each with its place. What a consumers file holds changes without the
-- config, and is judged when it is read.
local function validate(conf)
  local problems = native.problems_of(document.policy(conf))
  if problems then
    return nil, problems
  end

  return true
end


local validated = { custom_validator = validate }
for name, value in pairs(config) do
  validated[name] = value
end


return {
  name = "mtls-policy",
  fields = {
    { protocols = typedefs.protocols_http },
    -- As a filter may be configured.
    { consumer = typedefs.no_consumer },
    { config = validated },
  },
}
