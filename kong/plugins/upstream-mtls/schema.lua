local certificate_references = require "kong.plugins.upstream-mtls.certificate_references"
local typedefs = require "kong.db.schema.typedefs"
local pem = require "kong.plugins.upstream-mtls.pem"


local kong = kong
local ipairs = ipairs
local type = type
local find = string.find
local fmt = string.format


local NAME = "^[A-Za-z0-9._-]+$"
local LONGEST_NAME = 128
local SHORTEST_INTERVAL = 0.1
local LONGEST_INTERVAL = 86400


-- The config is refused for what it says. What changes without it, the content of files and the time, is judged when
-- it is loaded and again at each look: otherwise a certificate that has expired would keep Kong from starting, or from
-- taking any other change of its config.


local function validate_path(path)
  if not find(path, "^/") then
    return nil, "must be an absolute path"
  end

  return true
end


local function validate_interval(seconds)
  if seconds < SHORTEST_INTERVAL or seconds > LONGEST_INTERVAL then
    return nil, fmt("must be between %s and %s seconds", SHORTEST_INTERVAL, LONGEST_INTERVAL)
  end

  return true
end


-- Not called for references to a vault.
local function validate_pair(given)
  if type(given.cert) ~= "string" or type(given.key) ~= "string" then
    return true
  end

  local ok, err = pem.parse_client_certificate(given.cert, given.key)
  if not ok then
    return nil, fmt("%q: %s", given.name, err)
  end

  return true
end


local function validate_names(config)
  local positions = {}
  for i, given in ipairs(config.client_certificates) do
    local name = given.name
    if positions[name] then
      return nil, fmt("client_certificates: %q is defined twice, at %d and %d", name, positions[name], i)
    end

    positions[name] = i
  end

  local default = config.client_certificate
  if type(default) == "string" and not positions[default] then
    return nil, fmt("client_certificate: %q is not among client_certificates", default)
  end

  return true
end


local function validate_trust(config)
  local given = type(config.ca_file) == "string" or type(config.ca_certificates) == "table"
  if given and not config.tls_verify then
    return nil, "tls_verify is false: a CA would verify nothing; leave it out or set tls_verify"
  end

  if config.tls_verify and not given and not kong.configuration.lua_ssl_trusted_certificate_combined then
    return nil, "tls_verify needs a CA: set ca_file, ca_certificates or Kong's lua_ssl_trusted_certificate"
  end

  return true
end


local function path(description)
  return { description = description, type = "string", custom_validator = validate_path }
end


local function validate_revocations(config)
  if type(config.crl_file) == "string" and not config.tls_verify then
    return nil, "tls_verify is false: what is revoked would not be looked up; leave crl_file out or set tls_verify"
  end

  return true
end


-- Options that other gateways have. Without a word, an admin would think that they count here.
local function refused(field, why)
  field.description = field.description .. " Refused here."
  field.custom_validator = function(value)
    if value ~= false then
      return nil, "is not supported on Kong: " .. why
    end

    return true
  end

  return field
end


local client_certificate = {
  type = "record",
  fields = {
    { name = {
        description = "What filters and client_certificate call it.",
        type = "string", required = true, len_max = LONGEST_NAME,
        match = NAME, err = "must be 1 to 128 letters, digits, '.', '_' and '-'",
    }, },
    { cert_file = path "PEM file with the chain, leaf first." },
    { key_file = path "PEM file with the private key." },
    { certificate = {
        description = "A certificate entity.",
        type = "record",
        fields = {
          { id = typedefs.uuid {
              required = true, auto = false, custom_validator = certificate_references.exists("certificates"),
          }, },
        },
    }, },
    { cert = { description = "The chain in PEM, leaf first.", type = "string", referenceable = true }, },
    { key = { description = "The private key in PEM.", type = "string", referenceable = true, encrypted = true }, },
  },
  entity_checks = {
    { only_one_of = { "cert_file", "certificate", "cert" } },
    { mutually_required = { "cert_file", "key_file" } },
    { mutually_required = { "cert", "key" } },
    { custom_entity_check = { field_sources = { "name", "cert", "key" }, fn = validate_pair } },
  },
}


return {
  name = "upstream-mtls",
  fields = {
    { protocols = typedefs.protocols_http },
    { config = {
        type = "record",
        fields = {
          { client_certificates = {
              description = "The client certificates, each from files, from a certificate entity or given here.",
              type = "array", required = true, default = {}, elements = client_certificate,
          }, },
          { client_certificate = {
              description = "The one presented where no filter selects another. Without it, what the service or the " ..
                            "Upstream names is.",
              type = "string",
          }, },
          { ca_file = path "PEM file with the CAs that an upstream's certificate must chain to." },
          { ca_certificates = {
              description = "The same as CA certificate entities.",
              type = "array", len_min = 1, elements = {
                type = "string", uuid = true, custom_validator = certificate_references.exists("ca_certificates"),
              },
          }, },
          { crl_file = path "PEM file with a CRL of each CA in an upstream's chain, none of them out of date." },
          { upstream_names = refused({
              description = "Names of which an upstream's certificate must have one.",
              type = "array", elements = { type = "string" },
            }, "nginx compares an upstream's certificate with the service's host as a DNS name, no more"),
          },
          { require_certificate_request = refused({
              description = "Whether an upstream must ask for a client certificate.",
              type = "boolean",
            }, "nginx does not tell whether an upstream has asked for one"),
          },
          { expiry_warning = {
              description = "Days before a client certificate or a CA expires from which on that is logged.",
              type = "integer", required = true, default = 30, between = { 0, 3650 },
          }, },
          { tls_verify = {
              description = "Whether to verify the upstream's certificate. If false, the service's own setting holds.",
              type = "boolean", required = true, default = true,
          }, },
          { tls_verify_depth = {
              description = "How many intermediate CAs may stand between an upstream's certificate and a CA.",
              type = "integer", required = true, default = 1, between = { 0, 64 },
          }, },
          { reload_interval = {
              description = "Seconds between two looks at the files.",
              type = "number", required = true, default = 10, custom_validator = validate_interval,
          }, },
        },
        entity_checks = {
          { mutually_exclusive = { "ca_file", "ca_certificates" } },
          { custom_entity_check = {
              field_sources = { "client_certificates", "client_certificate" }, fn = validate_names,
          }, },
          { custom_entity_check = {
              field_sources = { "ca_file", "ca_certificates", "tls_verify" }, fn = validate_trust,
          }, },
          { custom_entity_check = { field_sources = { "crl_file", "tls_verify" }, fn = validate_revocations } },
        },
    }, },
  },
}
