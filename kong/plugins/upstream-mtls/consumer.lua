--- The consumer that the gateway's own authentication has established, as filters see it.


local kong = kong
local find = string.find
local concat = table.concat
local ipairs = ipairs
local require = require
local setmetatable = setmetatable
local type = type


local NONE = {}


local function add(groups, seen, group)
  -- One a line: a name with a line break would read as two groups.
  if type(group) == "string" and not seen[group] and not find(group, "[\r\n]") then
    seen[group] = true
    groups[#groups + 1] = group
  end
end


-- Kong keeps the acl plugin's groups of a consumer in one table until they change.
local lines_of = setmetatable({}, { __mode = "k" })


local function acl_groups(who)
  if not kong.configuration.loaded_plugins.acl then
    return NONE
  end

  local groups, err = require("kong.plugins.acl.groups").get_consumer_groups(who.id)
  if err then
    return nil, err
  end

  return groups or NONE
end


-- Groups of the acl plugin, of authentication plugins that bring their own, and of Kong Enterprise.
local function groups_of(ctx, who)
  local acl, err = acl_groups(who)
  if not acl then
    return nil, err
  end

  local authenticated = kong.ctx.shared.authenticated_groups or ctx.authenticated_groups
  local enterprise = ctx.authenticated_consumer_groups
  if not authenticated and not enterprise and lines_of[acl] then
    return lines_of[acl]
  end

  local groups, seen = {}, {}
  for _, group in ipairs(acl) do
    add(groups, seen, group)
  end

  if not authenticated and not enterprise then
    lines_of[acl] = concat(groups, "\n")
    return lines_of[acl]
  end

  for _, group in ipairs(type(authenticated) == "table" and authenticated or NONE) do
    add(groups, seen, group)
  end

  for _, group in ipairs(enterprise or NONE) do
    add(groups, seen, type(group) == "table" and group.name)
  end

  return concat(groups, "\n")
end


--- Look the groups up while that may still yield; filters ask from where nothing may.
local function prepare(ctx)
  local who = kong.client.get_consumer()
  if who and who.id then
    ctx.upstream_mtls_groups, ctx.upstream_mtls_groups_error = groups_of(ctx, who)
  end
end


--- Forget the groups that were looked up, when another consumer is established.
local function forget(ctx)
  ctx.upstream_mtls_groups, ctx.upstream_mtls_groups_error = nil, nil
end


-- What Kong's authentication plugins send as X-Credential-Identifier (3.9.3): the issuer for jwt, the username for
-- basic-auth, hmac-auth and ldap-auth, the client id for oauth2, else the entity's id. The `key` of a key-auth
-- credential is the API key itself.
local function identifier_of(credential)
  return credential.algorithm and credential.key or credential.username or credential.client_id or credential.id
end


--- A field of the established consumer. May yield, unless `prepare` was called.
-- @treturn string|nil
-- @treturn nil|string
local function field(ctx, name)
  local who = kong.client.get_consumer()
  if not who then
    return nil
  end

  if name == "username" or name == "id" or name == "custom_id" then
    return who[name]
  end

  if name == "groups" then
    if not ctx.upstream_mtls_groups then
      prepare(ctx)
    end

    return ctx.upstream_mtls_groups, ctx.upstream_mtls_groups_error
  end

  if name == "credential" then
    local credential = kong.client.get_credential()
    return credential and identifier_of(credential)
  end
end


return {
  prepare = prepare,
  forget = forget,
  field = field,
}
