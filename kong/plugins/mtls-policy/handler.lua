--- Authenticates requests by API key and selects the client certificate that upstream-mtls presents: the native
-- runtime of mtls-policy, for Kong builds without WebAssembly and wherever the filter cannot serve.


local consumers = require "kong.plugins.mtls-policy.consumers"
local decision = require "kong.plugins.upstream-mtls.decision"
local decision_guard = require "kong.plugins.upstream-mtls.decision_guard"
local enforcement = require "kong.plugins.mtls-policy.enforcement"
local policies = require "kong.plugins.mtls-policy.policies"
local worker_start = require "kong.plugins.upstream-mtls.patches.worker_start"


local kong = kong
local ngx = ngx


worker_start.close()


local MtlsPolicy = {
  VERSION = "0.1.0",
  -- As key-auth: before plugins that need the consumer.
  PRIORITY = 1250,
}


function MtlsPolicy:init_worker()
  if kong.configuration.role == "control_plane" then
    return
  end

  decision.set_decider(enforcement.decide_for_established)
  decision_guard.prepare()
  enforcement.prepare()
  consumers.watch(policies.follow)
  worker_start.open()
end


function MtlsPolicy:configure(configs)
  policies.configure(configs)
end


function MtlsPolicy:access(conf)
  enforcement.enforce(ngx.ctx, policies.of(conf))
end


return MtlsPolicy
