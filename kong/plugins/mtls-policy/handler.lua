--- Checks API keys and selects the client certificate that upstream-mtls presents: the filter mtls-policy for Kongs
-- without WebAssembly, over the same core as a native library.


local consumers = require "kong.plugins.mtls-policy.consumers"
local enforcement = require "kong.plugins.mtls-policy.enforcement"
local policies = require "kong.plugins.mtls-policy.policies"


local ngx = ngx


local MtlsPolicy = {
  VERSION = "0.1.0",
  -- As key-auth: before whatever wants to know the consumer.
  PRIORITY = 1250,
}


function MtlsPolicy:init_worker()
  enforcement.prepare()
  consumers.watch(policies.follow)
end


function MtlsPolicy:configure(configs)
  policies.configure(configs)
end


function MtlsPolicy:access(conf)
  enforcement.enforce(ngx.ctx, policies.of(conf))
end


return MtlsPolicy
