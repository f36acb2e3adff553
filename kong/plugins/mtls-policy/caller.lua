--- The consumer of a decision, as Kong's plugins see it.


local native = require "kong.plugins.mtls-policy.native"


local kong = kong
local ngx = ngx
local tonumber = tonumber
local fmt = string.format
local gmatch = string.gmatch
local sub = string.sub
local text = native.text


local ANONYMOUS = 2


-- A UUID of version 3 (RFC 9562, section 5.3) of a name.
local function uuid_of(name)
  local hex = ngx.md5(name)
  local variant = sub("89ab", tonumber(sub(hex, 17, 17), 16) % 4 + 1, tonumber(sub(hex, 17, 17), 16) % 4 + 1)
  return fmt("%s-%s-3%s-%s%s-%s", sub(hex, 1, 8), sub(hex, 9, 12), sub(hex, 14, 16), variant, sub(hex, 18, 20),
             sub(hex, 21, 32))
end


-- Kong's plugins tell consumers and credentials apart by their ids. A consumer for which Kong has no entity gets an
-- id that is always the same.
local function consumer_id_of(username)
  return uuid_of("mtls-policy consumer " .. username)
end


-- The id of a key is unique within its consumer only.
local function credential_id_of(consumer_id, key_id)
  return uuid_of("mtls-policy key " .. consumer_id .. " " .. key_id)
end


local function lines(of)
  local found
  for line in gmatch(of or "", "[^\n]+") do
    found = found or {}
    found[#found + 1] = line
  end

  return found
end


local function new(decision)
  local username, id, key_id = text(decision.username), text(decision.id), text(decision.credential)
  local custom_id = text(decision.custom_id)
  local consumer = { id = id or consumer_id_of(username), username = username, custom_id = custom_id }
  local credential
  if decision.caller ~= ANONYMOUS then
    credential = {
      id = credential_id_of(consumer.id, key_id or ""),
      consumer = { id = consumer.id },
      consumer_id = consumer.id,
    }
  end

  return {
    -- values of the identity headers, in the order of the decision's `set`
    headers = { id, custom_id, username, key_id, "true" },
    username = username,
    consumer = consumer,
    credential = credential,
    groups = lines(text(decision.groups)),
    -- for evaluating the rules again
    established = { username = username, groups = text(decision.groups) },
    cache_key = kong.db.consumers:cache_key(username),
  }
end


--- The consumer of a decision, made once for each of the policy's keys.
-- @tparam table policy
-- @tparam cdata decision
-- @treturn table|nil
local function of(policy, decision)
  local holder = tonumber(decision.holder)
  if holder == 0 then
    return nil
  end

  local caller = policy.callers[holder]
  if not caller then
    caller = new(decision)
    policy.callers[holder] = caller
  end

  return caller
end


local function load_consumer(username)
  return kong.db.consumers:select_by_username(username)
end


--- Set the request's consumer: Kong's own of that name, if there is one. May yield.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table caller
-- @treturn table|nil the consumer
-- @treturn nil|string
local function authenticate(ctx, caller)
  local consumer, err = kong.cache:get(caller.cache_key, nil, load_consumer, caller.username)
  if err then
    return nil, err
  end

  consumer = consumer or caller.consumer
  kong.client.authenticate(consumer, caller.credential)
  if caller.groups then
    kong.ctx.shared.authenticated_groups = caller.groups
    ctx.mtls_policy_groups = caller.groups
  end

  return consumer
end


--- Forget the groups of a consumer that another one has replaced.
-- @tparam table ctx the request's ngx.ctx
local function forget_groups(ctx)
  local shared = kong.ctx.shared
  if ctx.mtls_policy_groups and shared.authenticated_groups == ctx.mtls_policy_groups then
    shared.authenticated_groups = nil
  end

  ctx.mtls_policy_groups = nil
end


-- Kong limitation: `authenticated_groups` belong to the request, not to a consumer (kong/plugins/acl/handler.lua, seen
-- in 3.4 to 3.10). acl would read those of a consumer that another authentication plugin has replaced.
local function forget_groups_at(client)
  local authenticate_as = client.authenticate
  client.authenticate = function(...)
    forget_groups(ngx.ctx)
    return authenticate_as(...)
  end
end


--- Have the groups of a policy's consumer end with it. Once, when a worker starts.
local function prepare()
  forget_groups_at(kong.client)
end


return {
  prepare = prepare,
  of = of,
  authenticate = authenticate,
  forget_groups = forget_groups,
}
