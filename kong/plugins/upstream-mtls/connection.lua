--- The TLS settings of a request's connection to its upstream: client certificate, trust anchors, verification.
--
-- upstream-mtls configures the connection in its access handler, by the certificate that mtls-policy (as a plugin) has
-- selected, else by its own config. As a filter, mtls-policy selects the certificate later.


local balancer = require "kong.plugins.upstream-mtls.patches.balancer"
local decision = require "kong.plugins.upstream-mtls.decision"
local identity = require("kong.plugins.upstream-mtls.identity").identity
local instances = require "kong.plugins.upstream-mtls.instances"
local metrics = require "kong.plugins.upstream-mtls.metrics"
local with_revocations = require("kong.plugins.upstream-mtls.pem").with_revocations


local kong = kong
local ngx = ngx
local pcall = pcall
local require = require
local setmetatable = setmetatable
local fmt = string.format


local WEAK = { __mode = "k" }
local NOTHING = {}
local NO_ANCHORS = "No trust anchors in force"
local NO_REVOCATIONS = "No revocation lists in force"
local NO_CERTIFICATE = "No client certificate in force"
local TLS = { https = true, grpcs = true, wss = true }


-- Why no certificate can be presented on this Kong, or nil.
local unsupported


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


-- The certificate of the Upstream entity that the target names. Kong presents it where the service has none.
local function upstream_certificate_id(ctx)
  local target = ctx.balancer_data
  if target.type ~= "name" then
    return nil
  end

  local upstream = require("kong.runloop.balancer").get_upstream_by_name(target.host)
  return upstream and upstream.client_certificate and upstream.client_certificate.id or nil
end


-- What Kong would present by itself.
local function services_certificate(ctx, instance, service)
  local id = service.client_certificate and service.client_certificate.id or upstream_certificate_id(ctx)
  return id and instance:certificate_entity(id), id
end


-- The anchors together with what their CAs have revoked; kept with the anchors for as long as both are active.
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


local function identify(request, certificate)
  request.certificate = certificate
  request.identity = identity_of(certificate, request.anchors, request.verify, request.depth, request.scheme)
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


local function certificate_for(ctx, request, instance, selected)
  local name = selected or instance.default
  if name then
    request.name = name
    return instances.active(instance.certificates[name])
  end

  local entry, id = services_certificate(ctx, instance, request.service)
  if not entry then
    return nil
  end

  request.name = id
  return instances.active(entry)
end


local function reject(request, word, message, why)
  metrics.record(request, request.name, word)
  return message, why
end


-- The filter will select a certificate, this one as a rule. The connection is configured for it here, where Lua is
-- compiled: the filter's selection is a call from C, in which all is interpreted.
local function anticipate(request, default)
  request.awaits_selection = true
  metrics.record(request, nil, "nothing selected")
  local certificate = instances.active(request.instance.certificates[default])
  if certificate then
    identify(request, certificate)
    request.applied = apply(request)
  end
end


--- Configure the connection by the plugin's config, before any filter has run. May yield.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table conf
-- @tparam string|nil default the certificate that the policy of a filter will select as a rule
-- @treturn nil|string what to tell the client if the request is rejected
-- @treturn nil|string the reason, for the log
local function configure(ctx, conf, default)
  local service, scheme = ctx.service, ngx.var.upstream_scheme
  local selected = decision.selected(ctx)
  if not service or not TLS[scheme] then
    -- without a service Kong answers with 503; without TLS there is nothing to present
    if selected then
      return NO_CERTIFICATE, selected .. ": the upstream does not speak TLS (" .. scheme .. ")"
    end

    ctx.upstream_mtls_without_tls = true
    return nil
  end

  if unsupported then
    return NO_CERTIFICATE, unsupported
  end

  local instance = instances.of(conf)
  instance:load()
  local target = ctx.balancer_data
  local request = {
    scheme = ctx.mtls_selected_scheme or scheme,
    host = ctx.mtls_selected_host or target.host,
    port = ctx.mtls_selected_port or target.port,
    service = service,
    route = ctx.route,
    instance = instance,
  }
  ctx.upstream_mtls = request

  local anchors_entry = instance.anchors
  request.verify, request.depth = instance.verify, instance.depth
  if not instance.verify then
    anchors_entry, request.verify, request.depth = services_verification(instance, service)
  end

  request.anchors = anchors_entry and anchors_entry.active
  if anchors_entry and not request.anchors then
    return reject(request, "no trust anchors", NO_ANCHORS, anchors_entry.location .. ": " .. anchors_entry.last_error)
  end

  local revocations_entry = instance.revocations
  if revocations_entry then
    local err = revocations_entry.last_error
    if revocations_entry.active then
      request.anchors, err = checked(request.anchors, revocations_entry.active)
    end

    if not revocations_entry.active or not request.anchors then
      return reject(request, "no revocation lists", NO_REVOCATIONS, revocations_entry.location .. ": " .. err)
    end
  end

  if default and not selected and not instance.default then
    return anticipate(request, default)
  end

  local certificate, word, why = certificate_for(ctx, request, instance, selected)
  if word then
    return reject(request, word, NO_CERTIFICATE, request.name .. ": " .. (why or word))
  end

  identify(request, certificate)
  local ok, err = apply(request)
  if not ok then
    return reject(request, "failed", NO_CERTIFICATE, err)
  end

  request.applied = true
  decision.mark_applied(ctx)
  metrics.record(request, request.name, certificate and "presented" or "nothing to present")
end


--- Whether a filter may select a certificate by name for the current request.
-- @treturn nil|string "in_force", or a word that says why not; nil where the plugin has no part in the request
local function state(ctx, name)
  local request = ctx.upstream_mtls
  if not request then
    return nil
  end

  local certificate, word = instances.active(request.instance.certificates[name])
  if certificate then
    return "in_force"
  end

  metrics.record(request, name, word)
  return word
end


--- Present a certificate that is selected after the plugin has configured the connection. Does not yield.
-- @treturn boolean|nil
-- @treturn nil|string a word or a few why it cannot be presented
-- @treturn nil|string the same at length, for the log
local function select(ctx, name)
  local request = ctx.upstream_mtls
  if not request then
    return nil, "the plugin upstream-mtls is not configured for this request"
  end

  local certificate, word, why = instances.active(request.instance.certificates[name])
  if not certificate then
    metrics.record(request, name, word)
    return nil, word, why
  end

  request.name = name
  local ok, err = true, nil
  if not request.applied then
    identify(request, certificate)
    ok, err = apply(request)
    request.applied = ok
  elseif request.certificate ~= certificate then
    identify(request, certificate)
    ok, err = apply_certificate(certificate)
  end

  if ok then
    request.awaits_selection = nil
    decision.mark_applied(ctx)
    metrics.record(request, name, "presented")
  end

  return ok, err
end


--- Whether a filter is to select a certificate and has not.
local function awaits_selection(ctx)
  local request = ctx.upstream_mtls
  return request and request.awaits_selection
end


--- The certificate that is presented, for what varies by it.
-- @treturn string|nil its name and fingerprint
local function presented(ctx)
  local request = ctx.upstream_mtls
  local certificate = request and request.certificate
  return certificate and (request.name or "") .. " " .. certificate.fingerprint
end


-- Why a connection would be another than the one that was configured: plain instead of TLS, or a client certificate
-- that goes to something else than it was selected for. A later plugin can change scheme, host and port.
local function changed_target(ctx)
  local request, scheme, target = ctx.upstream_mtls, ngx.var.upstream_scheme, ctx.balancer_data
  if not request then
    if ctx.upstream_mtls_without_tls and TLS[scheme] then
      return "a plugin has changed the scheme to " .. scheme .. " after upstream-mtls has run: the upstream would " ..
             "not be verified"
    end

    return nil
  end

  if scheme ~= request.scheme then
    return fmt("the connection was configured for scheme %s, and a plugin has changed the scheme to %s", request.scheme,
               scheme)
  end

  if not request.certificate then
    return nil
  end

  if target.host ~= request.host then
    return fmt("the client certificate was selected for host %s, and a plugin has changed the host to %s", request.host,
               target.host)
  end

  -- Kong replaces the port by that of the resolved target, before the first try and before each retry.
  local expected = request.resolved_port or request.port
  if target.try_count == 0 and target.port ~= expected then
    return fmt("the client certificate was selected for port %s, and a plugin has changed the port to %s", expected,
               target.port)
  end
end


--- Why a request must not connect to its upstream with the settings that were made here.
-- @treturn string|nil the reason, for the log
local function obstacle(ctx)
  local request = ctx.upstream_mtls
  if request and request.awaits_selection then
    return "the policy selects a client certificate, and the filter has not"
  end

  return changed_target(ctx)
end


-- When the last plugin's access handler has run, before Kong resolves the target.
local function verify_target(ctx)
  local request = ctx.upstream_mtls
  local reason = changed_target(ctx)
  if reason then
    if request then
      metrics.record(request, request.name, "target changed")
    end

    kong.log.err("503: ", reason)
    return kong.response.error(503, NO_CERTIFICATE)
  end

  if ngx.var.upstream_scheme == "https" and balancer.is_ambiguous(ngx.var.upstream_host) then
    return kong.response.error(400, "Bad Host header")
  end
end


-- Kong has resolved the target, and has set the certificate of the Upstream entity if neither the service nor this
-- plugin has one. A plugin of a lower priority may have chosen another Upstream entity since the settings were made:
-- the identity has to be that of the certificate which is presented.
local function adopt_upstream_certificate(ctx)
  local request, upstream = ctx.upstream_mtls, ctx.balancer_data.upstream
  local reference = upstream and upstream.client_certificate
  local scheme = ngx.var.upstream_scheme
  if not request or request.certificate or not reference or not TLS[scheme] then
    return
  end

  request.name = reference.id
  local certificate, word, why = instances.active(request.instance:certificate_entity(reference.id))
  local ok, err = certificate ~= nil, why or word
  if ok then
    local target = ctx.balancer_data
    request.scheme, request.host, request.port = scheme, target.host, target.port
    identify(request, certificate)
    ok, err = apply_certificate(certificate)
  end

  metrics.record(request, request.name, ok and "presented" or word or "failed")
  if not ok then
    kong.log.err("503: the certificate of the Upstream entity ", upstream.name, ": ", err)
    return kong.response.error(503, NO_CERTIFICATE)
  end
end


-- Plugins that request the upstream by a connection of their own, for which no certificate can be set.
local CONNECTING = { ["ai-response-transformer"] = true }


local function reject_connecting(ctx, plugin)
  local request = ctx.upstream_mtls
  if CONNECTING[plugin] and (request or decision.is_allowed(ctx)) then
    kong.log.err("503: the plugin ", plugin, " requests the upstream by itself, without a client certificate and ",
                 "without verification by upstream-mtls: remove it from this route")
    return kong.response.error(503, NO_CERTIFICATE)
  end
end


local function remember_resolved_port(ctx)
  local request = ctx.upstream_mtls
  if request then
    request.resolved_port = ctx.balancer_data.port
  end
end


--- Patch Kong so that the settings reach the connection. Once, when a worker starts.
local function prepare()
  local ok, err = pcall(function()
    local access_end = require "kong.plugins.upstream-mtls.patches.access_end"
    balancer.prepare()
    require("kong.plugins.upstream-mtls.patches.upstream_certificates").prepare(apply)
    require("kong.plugins.upstream-mtls.patches.proxy_cache").vary_by(presented)
    access_end.add(verify_target)
    require("kong.plugins.upstream-mtls.patches.late_plugins").before_each(reject_connecting)
    access_end.add_after(adopt_upstream_certificate)
    access_end.add_after(remember_resolved_port)
  end)

  if not ok then
    unsupported = "upstream-mtls does not support this Kong (" .. kong.version .. "): " .. err
    kong.log.err(unsupported)
  end
end


return {
  configure = configure,
  state = state,
  select = select,
  awaits_selection = awaits_selection,
  presented = presented,
  obstacle = obstacle,
  prepare = prepare,
}
