rockspec_format = "3.0"
package = "kong-plugin-upstream-mtls"
version = "0.1.0-1"
supported_platforms = { "linux", "macosx" }

-- `luarocks make` in this directory installs from it; nothing is fetched.
source = {
  url = "git+file://.",
}

description = {
  summary = "Presents client certificates from Kong to upstreams, each identity over connections of its own.",
  license = "Apache-2.0",
}

-- Everything it needs comes with Kong 3.4 and later.
dependencies = {
  "lua >= 5.1",
}

build = {
  type = "builtin",
  modules = {
    ["kong.plugins.upstream-mtls.certificate_references"] = "plugins/upstream-mtls/certificate_references.lua",
    ["kong.plugins.upstream-mtls.connection"] = "plugins/upstream-mtls/connection.lua",
    ["kong.plugins.upstream-mtls.consumer"] = "plugins/upstream-mtls/consumer.lua",
    ["kong.plugins.upstream-mtls.decision"] = "plugins/upstream-mtls/decision.lua",
    ["kong.plugins.upstream-mtls.decision_guard"] = "plugins/upstream-mtls/decision_guard.lua",
    ["kong.plugins.upstream-mtls.expiry"] = "plugins/upstream-mtls/expiry.lua",
    ["kong.plugins.upstream-mtls.file"] = "plugins/upstream-mtls/file.lua",
    ["kong.plugins.upstream-mtls.grpc_path"] = "plugins/upstream-mtls/grpc_path.lua",
    ["kong.plugins.upstream-mtls.handler"] = "plugins/upstream-mtls/handler.lua",
    ["kong.plugins.upstream-mtls.identity"] = "plugins/upstream-mtls/identity.lua",
    ["kong.plugins.upstream-mtls.instances"] = "plugins/upstream-mtls/instances.lua",
    ["kong.plugins.upstream-mtls.last_known_good"] = "plugins/upstream-mtls/last_known_good.lua",
    ["kong.plugins.upstream-mtls.log_redaction"] = "plugins/upstream-mtls/log_redaction.lua",
    ["kong.plugins.upstream-mtls.metrics"] = "plugins/upstream-mtls/metrics.lua",
    ["kong.plugins.upstream-mtls.patches.access_end"] = "plugins/upstream-mtls/patches/access_end.lua",
    ["kong.plugins.upstream-mtls.patches.balancer"] = "plugins/upstream-mtls/patches/balancer.lua",
    ["kong.plugins.upstream-mtls.patches.filter_chains"] = "plugins/upstream-mtls/patches/filter_chains.lua",
    ["kong.plugins.upstream-mtls.patches.header_count"] = "plugins/upstream-mtls/patches/header_count.lua",
    ["kong.plugins.upstream-mtls.patches.late_plugins"] = "plugins/upstream-mtls/patches/late_plugins.lua",
    ["kong.plugins.upstream-mtls.patches.property_callbacks"] = "plugins/upstream-mtls/patches/property_callbacks.lua",
    ["kong.plugins.upstream-mtls.patches.proxy_cache"] = "plugins/upstream-mtls/patches/proxy_cache.lua",
    ["kong.plugins.upstream-mtls.patches.responses"] = "plugins/upstream-mtls/patches/responses.lua",
    ["kong.plugins.upstream-mtls.patches.upstream_certificates"] = "plugins/upstream-mtls/patches/upstream_certificates.lua",
    ["kong.plugins.upstream-mtls.patches.worker_start"] = "plugins/upstream-mtls/patches/worker_start.lua",
    ["kong.plugins.upstream-mtls.pem"] = "plugins/upstream-mtls/pem.lua",
    ["kong.plugins.upstream-mtls.policy_lookup"] = "plugins/upstream-mtls/policy_lookup.lua",
    ["kong.plugins.upstream-mtls.properties"] = "plugins/upstream-mtls/properties.lua",
    ["kong.plugins.upstream-mtls.schema"] = "plugins/upstream-mtls/schema.lua",
    ["kong.plugins.upstream-mtls.sources"] = "plugins/upstream-mtls/sources.lua",
    ["kong.plugins.upstream-mtls.watch"] = "plugins/upstream-mtls/watch.lua",
  },
}
