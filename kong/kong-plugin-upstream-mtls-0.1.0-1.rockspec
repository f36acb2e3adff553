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
    ["kong.plugins.upstream-mtls.choice"] = "plugins/upstream-mtls/choice.lua",
    ["kong.plugins.upstream-mtls.consumer"] = "plugins/upstream-mtls/consumer.lua",
    ["kong.plugins.upstream-mtls.expiry"] = "plugins/upstream-mtls/expiry.lua",
    ["kong.plugins.upstream-mtls.file"] = "plugins/upstream-mtls/file.lua",
    ["kong.plugins.upstream-mtls.gate"] = "plugins/upstream-mtls/gate.lua",
    ["kong.plugins.upstream-mtls.handler"] = "plugins/upstream-mtls/handler.lua",
    ["kong.plugins.upstream-mtls.identity"] = "plugins/upstream-mtls/identity.lua",
    ["kong.plugins.upstream-mtls.instances"] = "plugins/upstream-mtls/instances.lua",
    ["kong.plugins.upstream-mtls.internals"] = "plugins/upstream-mtls/internals.lua",
    ["kong.plugins.upstream-mtls.last_good"] = "plugins/upstream-mtls/last_good.lua",
    ["kong.plugins.upstream-mtls.metrics"] = "plugins/upstream-mtls/metrics.lua",
    ["kong.plugins.upstream-mtls.pem"] = "plugins/upstream-mtls/pem.lua",
    ["kong.plugins.upstream-mtls.presentation"] = "plugins/upstream-mtls/presentation.lua",
    ["kong.plugins.upstream-mtls.schema"] = "plugins/upstream-mtls/schema.lua",
    ["kong.plugins.upstream-mtls.sources"] = "plugins/upstream-mtls/sources.lua",
    ["kong.plugins.upstream-mtls.wasm"] = "plugins/upstream-mtls/wasm.lua",
    ["kong.plugins.upstream-mtls.watch"] = "plugins/upstream-mtls/watch.lua",
  },
}
