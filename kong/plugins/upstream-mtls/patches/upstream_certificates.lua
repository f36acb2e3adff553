--- Keeps Kong from replacing a certificate that upstream-mtls has set.
--
-- Kong limitations (runloop/upstream_ssl.lua and runloop/balancer, seen in 3.4 to 3.10):
--
-- - When it resolves the target, Kong sets the certificate of the Upstream entity where the service has none. It
--   cannot be kept from that; the certificate of upstream-mtls is set again afterwards.
-- - For buffered responses Kong makes a subrequest, and sets its TLS settings by `ctx.service` and the Upstream entity.


local assert = assert
local require = require


--- Patch Kong. Once, when a worker starts.
-- @tparam function apply sets the TLS settings of a request, which it gets, for the current request or subrequest
local function prepare(apply)
  local upstream_ssl = require "kong.runloop.upstream_ssl"
  local set_service_ssl = assert(upstream_ssl.set_service_ssl, "kong.runloop.upstream_ssl has no set_service_ssl")
  local fallback = assert(upstream_ssl.fallback_upstream_client_cert,
                          "kong.runloop.upstream_ssl has no fallback_upstream_client_cert")

  upstream_ssl.set_service_ssl = function(ctx)
    set_service_ssl(ctx)
    local request = ctx and ctx.upstream_mtls
    if request then
      return apply(request)
    end
  end

  upstream_ssl.fallback_upstream_client_cert = function(ctx, upstream)
    local request = ctx and ctx.upstream_mtls
    if not request or not request.certificate then
      return fallback(ctx, upstream)
    end
  end

  require("kong.plugins.upstream-mtls.patches.access_end").add_after(function(ctx)
    local request = ctx.upstream_mtls
    local upstream = ctx.balancer_data.upstream
    if request and request.certificate and upstream and upstream.client_certificate then
      apply(request)
    end
  end)
end


return { prepare = prepare }
