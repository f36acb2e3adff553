--- Keeps certificate entities that a config of this plugin names.
--
-- Kong has foreign keys between entities, but none from inside a plugin's config. With a database, ids that do not
-- exist are rejected when the config is written, and certificates in use cannot be deleted, as Kong does for CA
-- certificates (kong/db/dao/ca_certificates.lua). Without a database a declarative file is replaced as a whole; there
-- the ids are looked up when the config is loaded.


local kong = kong
local ngx = ngx
local ipairs = ipairs
local pcall = pcall
local require = require
local fmt = string.format


local PLUGIN = "upstream-mtls"
local ALL_WORKSPACES = { workspace = ngx.null, show_ws_id = true }


-- A command of Kong's, `kong config db_import` say, validates a whole file before it writes the first entity.
local function has_database()
  return kong.db and kong.db.strategy ~= "off" and not ngx.IS_CLI -- luacheck: ignore 143
         and kong.configuration.role ~= "data_plane"
end


--- Validator of an id in the schema.
-- @tparam string entities "certificates" or "ca_certificates"
-- @treturn function
local function exists(entities)
  return function(id)
    if not has_database() or not kong.db[entities] then
      return true
    end

    local row, err = kong.db[entities]:select({ id = id }, ALL_WORKSPACES)
    if err then
      return nil, "cannot be read: " .. err
    end

    if not row then
      return nil, fmt("no entity in %s has the id %s", entities, id)
    end

    return true
  end
end


local function names_certificate(plugin, id)
  for _, given in ipairs(plugin.name == PLUGIN and plugin.config.client_certificates or {}) do
    if given.certificate and given.certificate.id == id then
      return true
    end
  end
end


local function reject_if_used(certificate, schema)
  if schema ~= "certificates" then
    return certificate
  end

  for plugin, err in kong.db.plugins:each(nil, ALL_WORKSPACES) do
    if err then
      return nil, kong.db.certificates.errors:database_error(err)
    end

    if names_certificate(plugin, certificate.id) then
      return nil, kong.db.certificates.errors:referenced_by_others(
        fmt("certificate %s is still referenced by plugins (id = %s)", certificate.id, plugin.id))
    end
  end

  return certificate
end


--- Reject the deletion of certificates in use. Once, when a worker starts.
local function protect()
  local ok, hooks = pcall(require, "kong.hooks")
  if ok and has_database() and kong.db.certificates.errors.referenced_by_others then
    hooks.register_hook("dao:delete:pre", reject_if_used)
  end
end


return {
  exists = exists,
  protect = protect,
}
