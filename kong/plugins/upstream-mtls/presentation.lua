--- What a request presents to its upstream, and what it believes of it.
--
-- The plugin decides first, by what mtls-policy has chosen as a plugin, else by its config. A filter may then select
-- another certificate by name.


local gate = require "kong.plugins.upstream-mtls.gate"
local identity = require("kong.plugins.upstream-mtls.identity").identity
local instances = require "kong.plugins.upstream-mtls.instances"
local internals = require "kong.plugins.upstream-mtls.internals"
local metrics = require "kong.plugins.upstream-mtls.metrics"
local with_revocations = require("kong.plugins.upstream-mtls.pem").with_revocations


local kong = kong
local ngx = ngx
local setmetatable = setmetatable


local WEAK = { __mode = "k" }
local NOTHING = {}
local NO_ANCHORS = "No trust anchors in force"
local NO_REVOCATIONS = "No revocation lists in force"
local NO_CERTIFICATE = "No client certificate in force"
local TLS = { https = true, grpcs = true, wss = true }


-- Why nothing can be presented on this Kong at all, or nil.
local impossible


local function child(parent, key)
  local found = parent[key]
  if not found then
    found = {}
    parent[key] = found
  end

  return found
end


-- Computed once for each certificate, anchors and settings, and kept with the certificate. Nothing in it refers
-- to certificate or anchors, so that those which are rotated out can be collected.
local function identity_of(certificate, anchors, verify, depth, scheme)
  local of_certificate = certificate or NOTHING
  local by_anchors = of_certificate.identities
  if not by_anchors then
    by_anchors = setmetatable({}, WEAK)
    of_certificate.identities = by_anchors
  end

  local by_scheme = child(by_anchors, anchors or NOTHING)
  local by_verify = child(by_scheme, scheme)
  -- nil, where nginx' own configuration decides, cannot be a key
  local by_depth = child(by_verify, verify == nil and NOTHING or verify)
  local known = by_depth[depth or NOTHING]
  if not known then
    known = { id = identity(certificate and certificate.digest, anchors and anchors.digest, verify, depth, scheme) }
    by_depth[depth or NOTHING] = known
  end

  return known
end


-- What Kong would verify by itself, for a plugin that leaves that to the service.
local function services_verification(instance, service)
  local entry = service.ca_certificates and instance:anchors_entities(service.ca_certificates)
  return entry, service.tls_verify, service.tls_verify_depth
end


-- What Kong would present by itself: the service's certificate, else the Upstream entity's.
local function services_certificate(ctx, instance, service)
  local id = service.client_certificate and service.client_certificate.id or internals.upstream_certificate_id(ctx)
  return id and instance:certificate_entity(id), id
end


-- The anchors together with what their CAs have revoked; kept with the anchors for as long as both are in force.
local function checked(anchors, revocations)
  local by_revocations = anchors.checked
  if not by_revocations then
    by_revocations = setmetatable({}, WEAK)
    anchors.checked = by_revocations
  end

  local known = by_revocations[revocations]
  if not known then
    local err
    known, err = with_revocations(anchors, revocations)
    if not known then
      return nil, err
    end

    by_revocations[revocations] = known
  end

  return known
end


local function identify(ctx, request, certificate)
  request.certificate = certificate
  request.identity = identity_of(certificate, request.anchors, request.verify, request.depth, request.scheme)
  internals.split_pool(ctx, request.service, request.identity, request.scheme)
end


local function apply_certificate(certificate)
  return kong.service.set_tls_cert_key(certificate.chain, certificate.key)
end


-- Set nginx' TLS settings for the current request.
local function apply(request)
  local service = kong.service
  local ok, err = true, nil
  if request.certificate then
    ok, err = apply_certificate(request.certificate)
  end

  if ok and request.verify ~= nil then
    ok, err = service.set_tls_verify(request.verify)
  end

  if ok and request.depth then
    ok, err = service.set_tls_verify_depth(request.depth)
  end

  if ok and request.anchors then
    ok, err = service.set_tls_verify_store(request.anchors.store)
  end

  return ok, err
end


local function certificate_for(ctx, request, instance, chosen)
  local name = chosen or instance.default
  if name then
    request.name = name
    return instances.in_force(instance.certificates[name])
  end

  local entry, id = services_certificate(ctx, instance, request.service)
  if not entry then
    return nil
  end

  request.name = id
  return instances.in_force(entry)
end


local function refuse(request, word, message, why)
  metrics.record(request, request.name, word)
  return message, why
end


-- The filter will select a certificate, this one as a rule. The connection is set up for it here, where Lua is
-- compiled: the filter's order is a call from C, in which all is interpreted.
local function anticipate(ctx, request, default)
  request.awaits_selection = true
  metrics.record(request, nil, "nothing selected")
  local certificate = instances.in_force(request.instance.certificates[default])
  if certificate then
    identify(ctx, request, certificate)
    request.applied = apply(request)
  end
end


--- Present what the config says, before any filter has run.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table conf
-- @tparam string|nil chosen name of the certificate that mtls-policy, as a plugin, has chosen
-- @treturn nil|string what to tell the client if the request must not go on
-- @treturn nil|string the reason, for the log
local function begin(ctx, conf, chosen)
  local service, scheme = ctx.service, ngx.var.upstream_scheme
  if not service or not TLS[scheme] then
    -- no service is Kong's 503; without TLS there is nothing to present
    if chosen then
      return NO_CERTIFICATE, chosen .. ": there is no upstream that speaks TLS"
    end

    return nil
  end

  if impossible then
    return NO_CERTIFICATE, impossible
  end

  local instance = instances.of(conf)
  local request = { scheme = scheme, service = service, route = ctx.route, instance = instance }
  ctx.upstream_mtls = request

  local anchors_entry = instance.anchors
  request.verify, request.depth = instance.verify, instance.depth
  if not instance.verify then
    anchors_entry, request.verify, request.depth = services_verification(instance, service)
  end

  request.anchors = anchors_entry and anchors_entry.in_force
  if anchors_entry and not request.anchors then
    return refuse(request, "no trust anchors", NO_ANCHORS, anchors_entry.place .. ": " .. anchors_entry.trouble)
  end

  local revocations_entry = instance.revocations
  if revocations_entry then
    local err = revocations_entry.trouble
    if revocations_entry.in_force then
      request.anchors, err = checked(request.anchors, revocations_entry.in_force)
    end

    if not revocations_entry.in_force or not request.anchors then
      return refuse(request, "no revocation lists", NO_REVOCATIONS, revocations_entry.place .. ": " .. err)
    end
  end

  local default = not (chosen or instance.default) and gate.default(ctx)
  if default then
    return anticipate(ctx, request, default)
  end

  local certificate, word, why = certificate_for(ctx, request, instance, chosen)
  if word then
    return refuse(request, word, NO_CERTIFICATE, request.name .. ": " .. (why or word))
  end

  identify(ctx, request, certificate)
  local ok, err = apply(request)
  if not ok then
    return refuse(request, "failed", NO_CERTIFICATE, err)
  end

  request.applied = true

  metrics.record(request, request.name, certificate and "presented" or "nothing to present")
end


--- Whether a filter may select a certificate by name for the current request.
-- @treturn nil|string "in_force", or a word that says why not; nil where the plugin has no part in the request
local function state(ctx, name)
  local request = ctx.upstream_mtls
  if not request then
    return nil
  end

  local certificate, word = instances.in_force(request.instance.certificates[name])
  if certificate then
    return "in_force"
  end

  metrics.record(request, name, word)
  return word
end


--- Present the certificate that a filter has selected.
-- @treturn boolean|nil
-- @treturn nil|string a word or a few why it cannot be presented
-- @treturn nil|string the same at length, for the log
local function select(ctx, name)
  local request = ctx.upstream_mtls
  if not request then
    return nil, "the plugin upstream-mtls is not in force for this request"
  end

  local certificate, word, why = instances.in_force(request.instance.certificates[name])
  if not certificate then
    metrics.record(request, name, word)
    return nil, word, why
  end

  request.name = name
  local ok, err = true, nil
  if not request.applied then
    identify(ctx, request, certificate)
    ok, err = apply(request)
  elseif request.certificate ~= certificate then
    identify(ctx, request, certificate)
    ok, err = apply_certificate(certificate)
  end

  if ok then
    request.awaits_selection = nil
    metrics.record(request, name, "presented")
  end

  return ok, err
end


--- Whether it has not been decided yet what is presented.
local function awaits_selection(ctx)
  local request = ctx.upstream_mtls
  return request and request.awaits_selection
end


--- Once, when a worker starts.
local function prepare()
  local ok, err = internals.prepare(apply, gate)
  if not ok then
    impossible = "this Kong (" .. kong.version .. ") cannot keep identities apart: " .. err
    kong.log.err(impossible)
  end
end


return {
  begin = begin,
  state = state,
  select = select,
  awaits_selection = awaits_selection,
  prepare = prepare,
}
