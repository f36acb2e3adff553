rockspec_format = "3.0"
package = "kong-plugin-mtls-policy"
version = "0.1.0-1"
supported_platforms = { "linux" }

-- `luarocks make kong-plugin-mtls-policy-0.1.0-1.rockspec` in this directory installs from it, once `make native` has
-- built the library; nothing is fetched.
source = {
  url = "git+file://.",
}

description = {
  summary = "Checks API keys and selects upstream client certificates, over a native library: for every Kong.",
  license = "Apache-2.0",
}

-- Everything else comes with Kong 3.4 and later.
dependencies = {
  "lua >= 5.1",
  "kong-plugin-upstream-mtls >= 0.1.0",
}

build = {
  type = "builtin",
  modules = {
    ["kong.plugins.mtls-policy.body"] = "plugins/mtls-policy/body.lua",
    ["kong.plugins.mtls-policy.caller"] = "plugins/mtls-policy/caller.lua",
    ["kong.plugins.mtls-policy.cdef"] = "plugins/mtls-policy/cdef.lua",
    ["kong.plugins.mtls-policy.config"] = "plugins/mtls-policy/config.lua",
    ["kong.plugins.mtls-policy.consumers"] = "plugins/mtls-policy/consumers.lua",
    ["kong.plugins.mtls-policy.document"] = "plugins/mtls-policy/document.lua",
    ["kong.plugins.mtls-policy.enforcement"] = "plugins/mtls-policy/enforcement.lua",
    ["kong.plugins.mtls-policy.handler"] = "plugins/mtls-policy/handler.lua",
    ["kong.plugins.mtls-policy.headers"] = "plugins/mtls-policy/headers.lua",
    ["kong.plugins.mtls-policy.native"] = "plugins/mtls-policy/native.lua",
    ["kong.plugins.mtls-policy.policies"] = "plugins/mtls-policy/policies.lua",
    ["kong.plugins.mtls-policy.request"] = "plugins/mtls-policy/request.lua",
    ["kong.plugins.mtls-policy.schema"] = "plugins/mtls-policy/schema.lua",
  },
  install = {
    lib = {
      -- found by name on lua_package_cpath, not by require
      "../target/native/libmtls_policy_native.so",
    },
  },
}
