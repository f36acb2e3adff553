--- Decisions, carried out.


local caller = require "kong.plugins.mtls-policy.caller"
local headers = require "kong.plugins.mtls-policy.headers"
local request = require "kong.plugins.mtls-policy.request"


local kong = kong
local ipairs = ipairs
local pcall = pcall
local require = require
local find = string.find
local text = request.text
local decide = request.decide
local is_as_seen = request.is_as_seen
local reselect = request.reselect
local seen = request.seen


local NO_POLICY = "No valid policy"
local NO_CERTIFICATE = "No client certificate in force"
local NOBODY = {}


-- Why requests cannot be looked at again after the last plugin, or nil.
local no_second_look = "it has not been prepared"


-- What takes certificates to upstreams, where it is loaded.
local choice, presentation, who
if kong.configuration.loaded_plugins["upstream-mtls"] then
  choice = require "kong.plugins.upstream-mtls.choice"
  presentation = require "kong.plugins.upstream-mtls.presentation"
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


-- As kong.response.error, which puts a message in as it is: one with quotes would break the JSON around it.
local function refuse_with_words(status, message, reason)
  local body, content_type = request.answer(message)
  if not body then
    return refuse(status, message, reason)
  end

  kong.log.info(status, ": ", reason)
  return kong.response.exit(status, body, { ["Content-Type"] = content_type })
end


local function refuse_as_decided(status, decision)
  if not status then
    return refuse(503, NO_POLICY, decision)
  end

  local message = text(decision.message)
  if find(message, '["\\&<>]') then
    return refuse_with_words(status, message, text(decision.reason))
  end

  return refuse(status, message, text(decision.reason), text(decision.challenge))
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


-- Rules are about what the upstream will receive, and plugins that run later may change that.
local function remember(ctx, policy, as_whom, certificate)
  ctx.mtls_policy = policy
  ctx.mtls_policy_who = as_whom
  ctx.mtls_policy_certificate = certificate
  ctx.mtls_policy_method, ctx.mtls_policy_path = seen(policy.wants)
end


local function carry_out(ctx, policy, decision, body, consumer)
  -- Everything is read of the decision before anything may yield.
  local certificate, query = text(decision.certificate), text(decision.query)
  local asking = caller.of(policy, decision)
  if certificate and not choice then
    return refuse(503, NO_CERTIFICATE, "the plugin upstream-mtls is not loaded: name it in kong.conf's `plugins`")
  end

  local wants = policy.wants
  if wants.path or wants.method then
    if no_second_look then
      return refuse(503, NO_POLICY, "its rules cannot be held against what the upstream will receive: " ..
                    no_second_look)
    end

    remember(ctx, policy, asking and asking.established or consumer or NOBODY, certificate)
  end

  headers.edit(ctx, decision, asking and asking.said or consumer and consumer.said)
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

  consumer.said = { consumer.id, consumer.custom_id, consumer.username, consumer.credential, "true" }
  return carry_out(ctx, policy, decision, nil, consumer)
end


-- Other plugins are to say who is asking, and most of them have not run yet. A function of its own: LuaJIT compiles
-- none that makes a closure, also for the requests for which it makes none.
local function enforce_later(ctx, policy)
  return choice.defer(ctx, function()
    return enforce_on_established(ctx, policy)
  end)
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

  return enforce_later(ctx, policy)
end


-- The last plugin has run.
local function look_again(ctx)
  local policy = ctx.mtls_policy
  if not policy or is_as_seen(policy.wants, ctx.mtls_policy_method, ctx.mtls_policy_path) then
    return
  end

  local status, decision = reselect(policy, ctx.mtls_policy_who)
  if status ~= 0 then
    return refuse_as_decided(status, decision)
  end

  local certificate = text(decision.certificate)
  if certificate == ctx.mtls_policy_certificate then
    return
  end

  local ok, err
  if certificate and presentation then
    ok, err = presentation.select(ctx, certificate)
  else
    err = "a plugin has changed the request after a certificate was chosen for it, and now none would be"
  end

  if not ok then
    return refuse(503, NO_CERTIFICATE, err)
  end
end


--- Make it possible to look at requests again after the last plugin. Once, when a worker starts.
local function prepare()
  local ok, err = pcall(function()
    require("kong.plugins.upstream-mtls.internals").after_plugins(look_again)
  end)
  no_second_look = not ok and err or nil
end


return {
  prepare = prepare,
  enforce = enforce,
}
