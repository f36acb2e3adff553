--- The plugin's configs, compiled: an instance for each plugin entity, with the sources that its names stand for.


local sources = require "kong.plugins.upstream-mtls.sources"


local ngx = ngx
local ipairs = ipairs
local pairs = pairs
local setmetatable = setmetatable
local min = math.min
local concat = table.concat
local fmt = string.format


local DAY = 86400


-- By the ids of plugin entities. Replaced as a whole when Kong loads its plugins, so that nothing outlives its entity.
local instances = {}


-- Whether Kong announces configs. Kong 3.4 and 3.5 do not: there an instance is compiled for the first request.
local are_announced = false


local Instance = {}
local Instance_mt = { __index = Instance }


local function scope_of(conf)
  return fmt("%s (route %s, service %s)", conf.__plugin_id or "-", conf.route_id or "-", conf.service_id or "-")
end


local function certificate_of(given, conf)
  if given.cert_file then
    return sources.certificate_files(given.cert_file, given.key_file)
  end

  if given.certificate then
    return sources.certificate_entity(given.certificate.id)
  end

  return sources.certificate_inline(given, scope_of(conf))
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


local function compile(conf)
  local instance = setmetatable({
    conf = conf,
    default = conf.client_certificate,
    interval = conf.reload_interval,
    certificates = {},
    verify = conf.tls_verify,
    depth = conf.tls_verify_depth,
    anchors = conf.tls_verify and anchors_of(conf) or nil,
    revocations = conf.crl_file and sources.revocations_file(conf.crl_file) or nil,
    -- seconds; a config from an older control plane has none
    warn_ahead = (conf.expiry_warning or 0) * DAY,
    -- what services and upstreams name by themselves, by id
    entities = {},
  }, Instance_mt)

  for _, given in ipairs(conf.client_certificates) do
    instance.certificates[given.name] = certificate_of(given, conf)
  end

  return instance
end


--- The instance of a config.
local function of(conf)
  local id = conf.__plugin_id
  local instance = instances[id]
  if instance and (are_announced or instance.conf == conf) then
    return instance
  end

  instance = compile(conf)
  if not are_announced then
    instances[id] = instance
  end

  -- else the plugin was deleted while this request was being served
  return instance
end


--- Take over the configs that are about to be active. Reads nothing, except at start: it must not delay the moment at
-- which Kong puts its new plugins in place.
-- @tparam {table,...}|nil configs
local function configure(configs)
  local compiled = {}
  for _, conf in ipairs(configs or {}) do
    compiled[conf.__plugin_id] = compile(conf)
  end

  instances, are_announced = compiled, true
  if ngx.get_phase() == "init_worker" then
    sources.refresh()
  end
end


--- All instances, as values.
local function all()
  return instances
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


local function load_entry(entry)
  if entry and not entry.was_read then
    entry:refresh()
  end
end


--- Read the instance's sources that have never been read. May yield, once.
function Instance:load()
  if self.is_loaded then
    return
  end

  load_entry(self.anchors)
  load_entry(self.revocations)
  for _, entry in pairs(self.certificates) do
    load_entry(entry)
  end

  self.is_loaded = true
end


--- The certificate entity that a service or an upstream names, as one of the instance's own. May yield, once.
function Instance:certificate_entity(id)
  local entry = self.entities[id]
  if not entry then
    entry = sources.certificate_entity(id)
    load_entry(entry)
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
    load_entry(entry)
    self.entities[key] = entry
  end

  return entry
end


--- The active version of a client certificate, for a request now.
-- @tparam table|nil entry one of the instance's sources
-- @treturn table|nil the certificate
-- @treturn nil|string a word: unknown, unusable, expired, not yet valid
-- @treturn nil|string the same at length, for the log
local function active(entry)
  if not entry then
    return nil, "unknown", "it is not among client_certificates"
  end

  local certificate = entry.active
  if not certificate then
    return nil, "unusable", entry.last_error
  end

  local now = ngx.time()
  if now > certificate.not_after then
    return nil, "expired", entry.last_error or "it has expired"
  end

  if now < certificate.not_before then
    return nil, "not yet valid", entry.last_error
  end

  return certificate
end


return {
  all = all,
  of = of,
  configure = configure,
  interval = interval,
  active = active,
}
