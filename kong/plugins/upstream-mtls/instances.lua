--- The plugin's configs, compiled: one instance for each, with what its names stand for.


local sources = require "kong.plugins.upstream-mtls.sources"


local ngx = ngx
local ipairs = ipairs
local pairs = pairs
local setmetatable = setmetatable
local min = math.min
local concat = table.concat


local DAY = 86400


-- By config. Kong hands the very table that it configured to every request, and drops it with the config; so an
-- instance must not refer to it.
local instances = setmetatable({}, { __mode = "k" })


local Instance = {}
local Instance_mt = { __index = Instance }


local function certificate_of(given, plugin_id)
  if given.cert_file then
    return sources.certificate_files(given.cert_file, given.key_file)
  end

  if given.certificate then
    return sources.certificate_entity(given.certificate.id)
  end

  return sources.certificate_inline(given, plugin_id)
end


local function anchors_of(conf)
  if conf.ca_file then
    return sources.anchors_file(conf.ca_file)
  end

  if conf.ca_certificates then
    return sources.anchors_entities(conf.ca_certificates)
  end

  return sources.anchors_of_kong()
end


local function build(conf)
  local instance = setmetatable({
    default = conf.client_certificate,
    interval = conf.reload_interval,
    certificates = {},
    verify = conf.tls_verify,
    depth = conf.tls_verify_depth,
    anchors = conf.tls_verify and anchors_of(conf) or nil,
    revocations = conf.crl_file and sources.revocations_file(conf.crl_file) or nil,
    -- seconds; configs that a control plane of before knows nothing of it
    warn_ahead = (conf.expiry_warning or 0) * DAY,
    -- what services and upstreams name by themselves, by id
    entities = {},
  }, Instance_mt)

  for _, given in ipairs(conf.client_certificates) do
    instance.certificates[given.name] = certificate_of(given, conf.__plugin_id)
  end

  -- For each request Kong walks through the whole config, looking for references to vaults.
  conf.client_certificates = nil
  instances[conf] = instance
  return instance
end


--- The instance of a config. Kong 3.4 announces no configs: there it is built for the first request.
local function of(conf)
  local instance = instances[conf]
  if not instance then
    instance = build(conf)
    sources.look()
  end

  return instance
end


--- Take over the configs that are about to be in force.
-- @tparam {table,...}|nil configs
local function configure(configs)
  for _, conf in ipairs(configs or {}) do
    build(conf)
  end

  sources.look()
end


--- The shortest reload_interval in use.
-- @treturn number|nil seconds; nil where there are no instances
local function interval()
  local shortest
  for _, instance in pairs(instances) do
    shortest = min(shortest or instance.interval, instance.interval)
  end

  return shortest
end


--- The certificate entity that a service or an upstream names, seen as one of the instance's own.
function Instance:certificate_entity(id)
  local entry = self.entities[id]
  if not entry then
    entry = sources.certificate_entity(id)
    entry:look()
    self.entities[id] = entry
  end

  return entry
end


--- Likewise the CA certificate entities that a service names.
function Instance:anchors_entities(ids)
  local key = concat(ids, ",")
  local entry = self.entities[key]
  if not entry then
    entry = sources.anchors_entities(ids)
    entry:look()
    self.entities[key] = entry
  end

  return entry
end


--- What is in force of a client certificate, for a request now.
-- @tparam table|nil entry one of the instance's sources
-- @treturn table|nil the certificate
-- @treturn nil|string a word: unknown, unusable, expired, not yet valid
-- @treturn nil|string the same at length, for the log
local function in_force(entry)
  if not entry then
    return nil, "unknown", "it is not among client_certificates"
  end

  local certificate = entry.in_force
  if not certificate then
    return nil, "unusable", entry.trouble
  end

  local now = ngx.time()
  if now > certificate.not_after then
    return nil, "expired", entry.trouble or "its time is over"
  end

  if now < certificate.not_before then
    return nil, "not yet valid", entry.trouble
  end

  return certificate
end


return {
  all = instances,
  of = of,
  configure = configure,
  interval = interval,
  in_force = in_force,
}
