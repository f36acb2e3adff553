--- Where client certificates and trust anchors come from: files, Kong's entities, the plugin's own config.
--
-- Equal sources are one: two plugin instances that name the same files share the active version, and so does an
-- instance with the one that it replaces. That is how the last known good version outlives a new config.


local file = require "kong.plugins.upstream-mtls.file"
local last_known_good = require "kong.plugins.upstream-mtls.last_known_good"
local pem = require "kong.plugins.upstream-mtls.pem"


local kong = kong
local ngx = ngx
local ipairs = ipairs
local pairs = pairs
local setmetatable = setmetatable
local get_phase = ngx.get_phase
local date = os.date
local concat = table.concat
local fmt = string.format


local ALL_WORKSPACES = { workspace = ngx.null, show_ws_id = true }


-- By location. Weak: the plugin instances that use a source keep it.
local known = setmetatable({}, { __mode = "v" })


local function utc(time)
  return date("!%Y-%m-%dT%H:%M:%SZ", time)
end


local certificates = {
  parse = function(texts)
    return pem.parse_client_certificate(texts[1], texts[2])
  end,

  check = function(certificate)
    local now = ngx.time()
    if now > certificate.not_after then
      return "expired at " .. utc(certificate.not_after)
    end

    if now < certificate.not_before then
      return "not valid before " .. utc(certificate.not_before)
    end
  end,

  describe = function(certificate)
    return fmt("CN=%s, SHA-256 %s, valid until %s", certificate.common_name, certificate.fingerprint,
               utc(certificate.not_after))
  end,
}


local anchors = {
  parse = function(texts)
    return pem.parse_anchors(concat(texts, "\n"))
  end,

  check = function()
    -- one of several anchors may expire: the handshake decides
  end,

  describe = function(value)
    return fmt("trust anchors, the first of them valid until %s", utc(value.not_after))
  end,
}


local systems_anchors = {
  parse = function(texts)
    -- a system's bundle may hold certificates without basic constraints
    return pem.parse_anchors(concat(texts, "\n"), true)
  end,

  check = anchors.check,
  describe = anchors.describe,
}


local revocations = {
  parse = function(texts)
    return pem.parse_revocations(texts[1])
  end,

  check = function(value)
    if ngx.time() > value.not_after then
      return "out of date since " .. utc(value.not_after)
    end
  end,

  describe = function(value)
    return fmt("CRLs, the first of them good until %s", utc(value.not_after))
  end,
}


local function source(kind, location, read)
  local entry = known[location]
  if not entry then
    entry = last_known_good.new({
      location = location,
      read = read,
      parse = kind.parse,
      check = kind.check,
      describe = kind.describe,
    })
    known[location] = entry
  end

  return entry
end


local function read_files(paths)
  local texts = {}
  for i, path in ipairs(paths) do
    local text, err = file.read(path)
    if not text then
      return nil, err
    end

    texts[i] = text
  end

  return texts
end


local function read_entity(dao, id)
  local row, err = dao:select({ id = id }, ALL_WORKSPACES)
  if row then
    return row
  end

  if err then
    return nil, err
  end

  return nil, "no entity has this id", "gone"
end


--- A pair of PEM files.
local function certificate_files(cert_file, key_file)
  return source(certificates, fmt("client certificate %s, key %s", cert_file, key_file), function()
    return read_files({ cert_file, key_file })
  end)
end


--- A certificate entity of Kong's, by its id.
local function certificate_entity(id)
  return source(certificates, "certificate entity " .. id, function()
    local row, err, error_kind = read_entity(kong.db.certificates, id)
    return row and { row.cert, row.key }, err, error_kind
  end)
end


--- Chain and key in the plugin's config, as they are or behind references to a vault.
-- @tparam table given `name`, `cert`, `key`
-- @tparam string scope plugin, route and service: with the name, what makes it the same source after the config has
-- changed
local function certificate_inline(given, scope)
  local entry = source(certificates, fmt("client certificate %q of plugin %s", given.name, scope))
  -- Kong's config is not changed: references are resolved in a copy.
  local copy = {}
  for name, value in pairs(given) do
    copy[name] = value
  end

  entry.source.read = function()
    kong.vault.update(copy)
    if copy.cert == "" or copy.key == "" then
      -- vaults have no values before a worker's first timers have run
      return nil, "its reference has no value", get_phase() == "init_worker" and "pending" or nil
    end

    return { copy.cert, copy.key }
  end

  return entry
end


--- A PEM file with CAs.
local function anchors_file(path)
  return source(anchors, "ca_file " .. path, function()
    return read_files({ path })
  end)
end


--- A PEM file with the CRLs of CAs.
local function revocations_file(path)
  return source(revocations, "crl_file " .. path, function()
    return read_files({ path })
  end)
end


--- CA certificate entities of Kong's, by their ids.
local function anchors_entities(ids)
  return source(anchors, "CA certificate entities " .. concat(ids, ", "), function()
    local texts = {}
    for i, id in ipairs(ids) do
      local row, err, error_kind = read_entity(kong.db.ca_certificates, id)
      if not row then
        return nil, fmt("%s: %s", id, err), error_kind
      end

      texts[i] = row.cert
    end

    return texts
  end)
end


--- The trust store of Kong's own configuration, `lua_ssl_trusted_certificate`.
local function anchors_of_kong()
  return source(systems_anchors, "lua_ssl_trusted_certificate", function()
    return read_files({ kong.configuration.lua_ssl_trusted_certificate_combined })
  end)
end


--- Read every source in use. May yield.
local function refresh()
  -- reading may yield, and others may add to what is known meanwhile
  local entries = {}
  for _, entry in pairs(known) do
    entries[#entries + 1] = entry
  end

  for _, entry in ipairs(entries) do
    entry:refresh()
  end
end


return {
  certificate_files = certificate_files,
  certificate_entity = certificate_entity,
  certificate_inline = certificate_inline,
  anchors_file = anchors_file,
  revocations_file = revocations_file,
  anchors_entities = anchors_entities,
  anchors_of_kong = anchors_of_kong,
  refresh = refresh,
}
