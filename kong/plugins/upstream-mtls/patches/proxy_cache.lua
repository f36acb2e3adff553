--- Makes proxy-cache vary by the client certificate that was presented to the upstream.
--
-- Kong limitation: proxy-cache computes its key from consumer, route, method, path, query and configured headers
-- (plugins/proxy-cache/cache_key.lua, seen in 3.4 to 3.10). An answer that the upstream gave to one client certificate
-- would be sent for a request that selects another one.


local ngx = ngx
local pcall = pcall
local require = require


--- Patch proxy-cache where it is loaded. Once, when a worker starts.
-- @tparam function certificate_of gets `ngx.ctx`; returns the name of the certificate, or nil
local function vary_by(certificate_of)
  local ok, cache_key = pcall(require, "kong.plugins.proxy-cache.cache_key")
  if not ok or not cache_key.build_cache_key then
    return
  end

  local build = cache_key.build_cache_key
  cache_key.build_cache_key = function(consumer_id, route_id, ...)
    local certificate = certificate_of(ngx.ctx)
    if certificate then
      route_id = (route_id or "") .. "|" .. certificate
    end

    return build(consumer_id, route_id, ...)
  end
end


return { vary_by = vary_by }
