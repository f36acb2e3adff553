--- As whom a request passes, as Kong sees it.


local native = require "kong.plugins.mtls-policy.native"


local kong = kong
local ngx = ngx
local tonumber = tonumber
local fmt = string.format
local gmatch = string.gmatch
local sub = string.sub
local text = native.text


local ANONYMOUS = 2


-- Kong's plugins tell consumers apart by id. One that Kong has no entity for gets one that is its own, and always the
-- same: a UUID of version 3 (RFC 9562, section 5.3) of its name.
local function id_of(username)
  local hex = ngx.md5("mtls-policy consumer " .. username)
  local variant = sub("89ab", tonumber(sub(hex, 17, 17), 16) % 4 + 1, tonumber(sub(hex, 17, 17), 16) % 4 + 1)
  return fmt("%s-%s-3%s-%s%s-%s", sub(hex, 1, 8), sub(hex, 9, 12), sub(hex, 14, 16), variant, sub(hex, 18, 20),
             sub(hex, 21, 32))
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
  local username, id, credential = text(decision.username), text(decision.id), text(decision.credential)
  local custom_id = text(decision.custom_id)
  local consumer = { id = id or id_of(username), username = username, custom_id = custom_id }
  return {
    -- for the headers, in the order of the decision's `set`
    said = { id, custom_id, username, credential, "true" },
    username = username,
    consumer = consumer,
    credential = decision.caller ~= ANONYMOUS and { id = credential, consumer = { id = consumer.id } } or nil,
    groups = lines(text(decision.groups)),
    -- for asking the rules again
    established = { username = username, groups = text(decision.groups) },
    cache_key = kong.db.consumers:cache_key(username),
  }
end


--- Who a decision lets pass, made once for each of the policy's keys.
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


--- Tell Kong who is asking: its own consumer of that name, if there is one. May yield.
-- @tparam table caller
-- @treturn boolean|nil
-- @treturn nil|string
local function authenticate(caller)
  local consumer, err = kong.cache:get(caller.cache_key, nil, load_consumer, caller.username)
  if err then
    return nil, err
  end

  if caller.groups then
    local shared = kong.ctx.shared
    shared.authenticated_groups = caller.groups
  end

  kong.client.authenticate(consumer or caller.consumer, caller.credential)
  return true
end


return {
  of = of,
  authenticate = authenticate,
}
