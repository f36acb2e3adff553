--- What filters can ask of this plugin, and tell it: properties, on Kong 3.6 to 3.9 with WebAssembly.
--
--   kong.client_certificates.<name>   read: "in_force", or a word that says why it cannot be presented now
--   kong.service.client_certificate   write: the name of the one to present; refused unless it is in force
--   kong.ctx.shared.mtls_policy       Kong's own; write: "allowed" is the decision to present what the config says
--   kong.mtls_policy.allow.<order>    read: has done what the filter mtls-policy orders for a request that it allows:
--                                     "done", or a few words why not. The order's first line is the name of the
--                                     certificate to present, or empty for what the config says; the others are names
--                                     of headers to clear, for what a filter itself removes is sent all the same: nginx
--                                     sends headers that ngx_wasm_module has marked as removed (seen on 3.9.1). All in
--                                     one, for each call out of wasm costs, and as a property that is read, because
--                                     what is written has no answer
--   kong.client.consumer.<field>      read: username, id, custom_id, groups (one a line), credential (its id)
--
-- Handlers are called from C and must not yield. An error in one ends the filter, and Kong answers 500.


local consumer = require "kong.plugins.upstream-mtls.consumer"
local gate = require "kong.plugins.upstream-mtls.gate"
local presentation = require "kong.plugins.upstream-mtls.presentation"


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
  local state = presentation.state(ctx, name)
  return state ~= nil, state
end


local function select_certificate(kong, _, ctx, name)
  local ok, word, why = presentation.select(ctx, name)
  if not ok then
    kong.log.err("a filter selected client certificate '", name, "', which is not in force: ", why or word)
    return false
  end

  gate.decided(ctx)
  return true, name
end


local function allow(kong, _, ctx, order)
  local line_end = find(order, "\n", 1, true)
  local name = line_end and sub(order, 1, line_end - 1) or order
  if name ~= "" then
    local ok, word = presentation.select(ctx, name)
    if not ok then
      return true, word
    end
  elseif presentation.awaits_selection(ctx) then
    return true, "the policy has a default, and it was not selected"
  end

  if line_end then
    for header in gmatch(sub(order, line_end + 1), "[^\n]+") do
      kong.service.request.clear_header(header)
    end
  end

  gate.decided(ctx)
  return true, "done"
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
  properties.add_namespace_handlers("kong.client.consumer", consumer_field, read_only)
  properties.add_setter("kong.service.client_certificate", select_certificate)
end


return { prepare = prepare }
