--- Decisions of the native library, carried out.
--
-- Multiple authentication follows Kong's key-auth (kong/plugins/key-auth/handler.lua, 3.9.3). With `anonymous`, a
-- request that another plugin has authenticated keeps its consumer (logical OR); without, it always needs a key
-- (logical AND). When the last plugin has run, the rules are evaluated for the consumer that the request has then.


local body = require "kong.plugins.mtls-policy.body"
local caller = require "kong.plugins.mtls-policy.caller"
local connection = require "kong.plugins.upstream-mtls.connection"
local consumer = require "kong.plugins.upstream-mtls.consumer"
local decision = require "kong.plugins.upstream-mtls.decision"
local headers = require "kong.plugins.mtls-policy.headers"
local log_redaction = require "kong.plugins.upstream-mtls.log_redaction"
local request = require "kong.plugins.mtls-policy.request"


local kong = kong
local require = require
local find = string.find
local text = request.text
local decide = request.decide
local is_as_seen = request.is_as_seen
local reselect = request.reselect
local seen = request.seen


local NO_POLICY = "No valid policy"
local NO_CERTIFICATE = "No client certificate in force"
local NO_CONSUMER = "Consumer cannot be read"


-- What presents certificates to upstreams, where it is loaded.
local presents = kong.configuration.loaded_plugins["upstream-mtls"] ~= nil


local function reject(status, message, reason, challenge)
  if status == 503 then
    kong.log.err("503: ", reason)
  else
    kong.log.info(status, ": ", reason)
  end

  return kong.response.error(status, message, challenge and { ["WWW-Authenticate"] = challenge } or nil)
end


-- kong.response.error inserts a message as it is: one with quotes would break the JSON around it.
local function reject_with_words(status, message, reason)
  local content, content_type = request.answer(message)
  if not content then
    return reject(status, message, reason)
  end

  kong.log.info(status, ": ", reason)
  return kong.response.exit(status, content, { ["Content-Type"] = content_type })
end


-- The log entry of a rejected request must not show its key.
local function hide_keys(policy)
  if policy.hides_keys then
    log_redaction.hide_keys(policy.key_names)
  end
end


local function reject_as_decided(policy, status, decided)
  hide_keys(policy)
  if not status then
    return reject(503, NO_POLICY, decided)
  end

  local message = text(decided.message)
  if find(message, '["\\&<>]') then
    return reject_with_words(status, message, text(decided.reason))
  end

  return reject(status, message, text(decided.reason), text(decided.challenge))
end


-- The consumer that Kong's authentication plugins have established.
local function established(ctx)
  local groups, err = consumer.field(ctx, "groups")
  if err then
    return nil, err
  end

  return {
    id = consumer.field(ctx, "id"),
    username = consumer.field(ctx, "username"),
    custom_id = consumer.field(ctx, "custom_id"),
    credential = consumer.field(ctx, "credential"),
    groups = groups,
  }
end


-- Rules are about what the upstream will receive, and for whom; plugins that run later may change both.
local function remember(ctx, policy, who, certificate)
  ctx.mtls_policy = policy
  ctx.mtls_policy_who = who
  ctx.mtls_policy_certificate = certificate
  ctx.mtls_policy_method, ctx.mtls_policy_path = seen(policy.wants)
end


local NOBODY = {}


-- @tparam table|nil content the body as body.lua has read it
-- @tparam table|nil rejection `status` and `reason` with which a body is rejected that cannot be read
-- @tparam table|nil who the established consumer, if the decision was made for one
local function carry_out(ctx, policy, decided, content, rejection, who)
  -- Everything is read from the decision before anything may yield.
  local certificate, query = text(decided.certificate), text(decided.query)
  local holder = caller.of(policy, decided)
  if certificate and not presents then
    hide_keys(policy)
    return reject(503, NO_CERTIFICATE, "the plugin upstream-mtls is not loaded: add it to `plugins` in kong.conf")
  end

  if decided.hide_in_body and rejection then
    hide_keys(policy)
    return reject(rejection.status, "The request body cannot be read", rejection.reason)
  end

  remember(ctx, policy, holder and holder.established or who or NOBODY, certificate)
  headers.edit(ctx, decided, holder and holder.headers or who and who.headers)
  if decided.hide_in_body and content then
    body.hide(content)
  end

  if query then
    log_redaction.replace_query(query)
    kong.service.request.set_raw_query(query)
  end

  if holder then
    local authenticated, err = caller.authenticate(ctx, holder)
    if not authenticated then
      return reject(503, NO_CONSUMER, "the consumer cannot be read from Kong's database: " .. err)
    end
  end

  ctx.mtls_policy_consumer = kong.client.get_consumer()
  decision.allow(ctx, certificate)
end


local function decide_by_key(ctx, policy)
  local content, rejection
  if policy.wants.body then
    local status, reason
    content, status, reason = body.read(policy.key_names)
    if status then
      kong.log.info("no API key can be read from the body: ", reason)
      rejection = { status = status, reason = reason }
    end
  end

  local status, decided = decide(policy, content and content.fields)
  if status ~= 0 then
    return reject_as_decided(policy, status, decided)
  end

  return carry_out(ctx, policy, decided, content, rejection)
end


--- Decide for the consumer that other plugins have established. May yield.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table policy
local function decide_for_established(ctx, policy)
  local who, err = established(ctx)
  if not who then
    return reject_as_decided(policy, nil, "the consumer's groups cannot be read: " .. err)
  end

  local content, rejection
  if policy.wants.body then
    local status, reason
    content, status, reason = body.read(policy.key_names)
    rejection = status and { status = status, reason = reason } or nil
  end

  local status, decided = decide(policy, content and content.fields, who)
  if status ~= 0 then
    return reject_as_decided(policy, status, decided)
  end

  who.headers = { who.id, who.custom_id, who.username, who.credential, "true" }
  return carry_out(ctx, policy, decided, content, rejection, who)
end


--- Decide on the current request as its policy says: allow it, reject it, or defer the decision until the
-- authentication plugins have run. May yield.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table policy
local function enforce(ctx, policy)
  local wants = policy.wants
  if wants.established then
    return decision.defer(ctx, policy)
  end

  if wants.anonymous and kong.client.get_credential() then
    return decide_for_established(ctx, policy)
  end

  return decide_by_key(ctx, policy)
end


-- The consumer that the request has now, if another plugin has authenticated it after the decision.
local function newly_established(ctx)
  caller.forget_groups(ctx)
  consumer.forget(ctx)
  return established(ctx)
end


-- Evaluate the rules again, if a plugin has changed the request or its consumer after the decision.
local function decide_again(ctx)
  local policy = ctx.mtls_policy
  if not policy then
    return
  end

  local who = ctx.mtls_policy_who
  local is_same = kong.client.get_consumer() == ctx.mtls_policy_consumer
  if is_same and is_as_seen(policy.wants, ctx.mtls_policy_method, ctx.mtls_policy_path) then
    return
  end

  if not is_same then
    local err
    who, err = newly_established(ctx)
    if not who then
      return reject(503, NO_POLICY, "the consumer's groups cannot be read: " .. err)
    end
  end

  local status, decided = reselect(policy, who)
  if status ~= 0 then
    return reject_as_decided(policy, status, decided)
  end

  local certificate = text(decided.certificate)
  if certificate == ctx.mtls_policy_certificate then
    return
  end

  local ok, err
  if certificate and presents then
    ok, err = connection.select(ctx, certificate)
  else
    err = "a plugin has changed the request after a client certificate was selected for it, and now none would be"
  end

  if not ok then
    return reject(503, NO_CERTIFICATE, err)
  end
end


--- Evaluate rules again after the last plugin. Once, when a worker starts.
local function prepare()
  caller.prepare()
  require("kong.plugins.upstream-mtls.patches.access_end").add(decide_again)
end


return {
  prepare = prepare,
  enforce = enforce,
  decide_for_established = decide_for_established,
}
