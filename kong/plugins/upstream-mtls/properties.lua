--- What filters can ask of this plugin, and tell it: properties, on Kong 3.6 to 3.9 with WebAssembly.
--
--   kong.client_certificates.<name>   read: "in_force", or a word that says why it cannot be presented now
--   kong.service.client_certificate   write: the name of the one to present; rejected unless it is active
--   kong.mtls_policy.allow.<order>    read: carries out what the filter mtls-policy decides for a request that it
--                                     allows; "done", or a few words why not. The order's first line is the name of the
--                                     certificate to present, or empty for what the config says; the others are names
--                                     of headers to clear, because headers that a filter itself removes are sent all
--                                     the same: nginx sends headers that ngx_wasm_module has marked as removed (seen on
--                                     3.9.1). One property for all, because each call out of wasm has a cost, and one
--                                     that is read, because a property that is written has no answer
--   kong.mtls_policy.invalid          read: counts a request that the filter rejects because its policy is invalid
--   kong.client.consumer.<field>      read: username, id, custom_id, groups (one a line), credential (its id)
--
-- Handlers are called from C and must not yield. An error in one ends the filter, and Kong answers 500.


local connection = require "kong.plugins.upstream-mtls.connection"
local consumer = require "kong.plugins.upstream-mtls.consumer"
local decision = require "kong.plugins.upstream-mtls.decision"
local metrics = require "kong.plugins.upstream-mtls.metrics"


local error = error
local find = string.find
local gmatch = string.gmatch
local pcall = pcall
local require = require
local sub = string.sub


local function read_only()
  return false
end


local function client_certificate(_, _, ctx, name)
  local state = connection.state(ctx, name)
  return state ~= nil, state
end


local function select_certificate(kong, _, ctx, name)
  local ok, word, why = connection.select(ctx, name)
  if not ok then
    kong.log.err("a filter selected client certificate '", name, "', which is not active: ", why or word)
    return false
  end

  return true, name
end


local function allow(kong, _, ctx, order)
  local line_end = find(order, "\n", 1, true)
  local name = line_end and sub(order, 1, line_end - 1) or order
  if name ~= "" then
    local ok, word = connection.select(ctx, name)
    if not ok then
      return true, word
    end
  elseif connection.awaits_selection(ctx) then
    return true, "the policy has a default, and it was not selected"
  end

  if line_end then
    for header in gmatch(sub(order, line_end + 1), "[^\n]+") do
      kong.service.request.clear_header(header)
    end
  end

  decision.allow(ctx)
  return true, "done"
end


-- Without certificate and headers there is nothing behind the property's name.
local function allow_as_configured(kong, ngx, ctx)
  return allow(kong, ngx, ctx, "")
end


local function invalid(_, _, ctx)
  metrics.count_rejection(ctx, "invalid policy")
  return true, "noted"
end


local function consumer_field(_, _, ctx, field)
  local value, err = consumer.field(ctx, field)
  if err then
    -- without its groups the consumer would pass a rule that denies one of them
    error("the consumer's " .. field .. " cannot be read: " .. err)
  end

  return value ~= nil, value
end


--- Answer filters. Worker-wide: to be listed in `plugins=` is enough.
local function prepare()
  local ok, properties = pcall(require, "kong.runloop.wasm.properties")
  if not ok then
    return
  end

  properties.add_namespace_handlers("kong.client_certificates", client_certificate, read_only)
  properties.add_namespace_handlers("kong.mtls_policy.allow", allow, read_only)
  properties.add_getter("kong.mtls_policy.allow", allow_as_configured)
  properties.add_namespace_handlers("kong.client.consumer", consumer_field, read_only)
  properties.add_getter("kong.mtls_policy.invalid", invalid)
  properties.add_setter("kong.service.client_certificate", select_certificate)
end


return { prepare = prepare }
