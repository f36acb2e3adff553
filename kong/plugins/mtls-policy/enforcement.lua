--- Decisions, carried out.


local caller = require "kong.plugins.mtls-policy.caller"
local headers = require "kong.plugins.mtls-policy.headers"
local request = require "kong.plugins.mtls-policy.request"


local kong = kong
local ipairs = ipairs
local require = require
local text = request.text
local decide = request.decide


local NO_POLICY = "No valid policy"


-- What takes certificates to upstreams, where it is loaded.
local choice, who
if kong.configuration.loaded_plugins["upstream-mtls"] then
  choice = require "kong.plugins.upstream-mtls.choice"
  who = require "kong.plugins.upstream-mtls.consumer"
end


local function refuse(status, message, reason, challenge)
  if status == 503 then
    kong.log.err("503: ", reason)
  else
    kong.log.info(status, ": ", reason)
  end

  return kong.response.error(status, message, challenge and { ["WWW-Authenticate"] = challenge } or nil)
end


local function refuse_as_decided(status, decision)
  if not status then
    return refuse(503, NO_POLICY, decision)
  end

  return refuse(status, text(decision.message), text(decision.reason), text(decision.challenge))
end


local function read_body()
  local body, err = kong.request.get_body()
  if err then
    kong.log.info("the body holds no key: ", err)
  end

  return body
end


local function hide_in_body(body, names)
  if not body then
    return
  end

  local hidden
  for _, name in ipairs(names) do
    hidden = hidden or body[name] ~= nil
    body[name] = nil
  end

  if hidden then
    kong.service.request.set_body(body)
  end
end


local function established(ctx)
  local _, groups_err = who.field(ctx, "groups")
  if groups_err then
    return nil, groups_err
  end

  return {
    id = who.field(ctx, "id"),
    username = who.field(ctx, "username"),
    custom_id = who.field(ctx, "custom_id"),
    credential = who.field(ctx, "credential"),
    groups = who.field(ctx, "groups"),
  }
end


local function carry_out(ctx, policy, decision, body, said)
  -- Everything is read of the decision before anything may yield.
  local certificate, query = text(decision.certificate), text(decision.query)
  local asking = caller.of(policy, decision)
  if certificate and not choice then
    return refuse(503, "No client certificate in force", "the plugin upstream-mtls is not loaded: name it in " ..
                  "kong.conf's `plugins`")
  end

  headers.edit(ctx, decision, asking and asking.said or said)
  if query then
    kong.service.request.set_raw_query(query)
  end

  if decision.hide_in_body then
    hide_in_body(body, policy.key_names)
  end

  if certificate then
    choice.choose(ctx, certificate)
  end

  if asking then
    local ok, err = caller.authenticate(asking)
    if not ok then
      return refuse(503, NO_POLICY, "Kong's consumer cannot be read: " .. err)
    end
  end
end


local function enforce_now(ctx, policy)
  local body = policy.wants.body and read_body() or nil
  local status, decision = decide(policy, body)
  if status ~= 0 then
    return refuse_as_decided(status, decision)
  end

  return carry_out(ctx, policy, decision, body)
end


local function enforce_on_established(ctx, policy)
  local consumer, err = established(ctx)
  if not consumer then
    return refuse(503, NO_POLICY, "the consumer's groups cannot be read: " .. err)
  end

  local status, decision = decide(policy, nil, consumer)
  if status ~= 0 then
    return refuse_as_decided(status, decision)
  end

  local said = { consumer.id, consumer.custom_id, consumer.username, consumer.credential, "true" }
  return carry_out(ctx, policy, decision, nil, said)
end


--- Let the current request pass as its policy says, or refuse it.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table policy
local function enforce(ctx, policy)
  if not policy.wants.established then
    return enforce_now(ctx, policy)
  end

  if not choice then
    return refuse(503, NO_POLICY, "authentication: gateway needs the plugin upstream-mtls: name it in " ..
                  "kong.conf's `plugins`")
  end

  -- Other plugins are to say who is asking, and most of them have not run yet.
  return choice.defer(ctx, function()
    return enforce_on_established(ctx, policy)
  end)
end


return { enforce = enforce }
