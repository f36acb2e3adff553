--- Rejects requests that mtls-policy has to decide on and has not.
--
-- mtls-policy may be configured for a route and not run: a worker has not rebuilt its plugins or filter chains yet; a
-- filter could not be started; Kong skips filters for buffered responses; another plugin answers in place of the
-- upstream before the decision. The guard looks at each request in these places:
--
-- - before the access handlers of plugins that run after access control, which may answer in place of the upstream;
-- - after the last access handler, where it also reads whether a policy applies (policy_lookup.lua);
-- - before the response is sent, if such a plugin, or another filter, has answered after all;
-- - before a buffered response is requested, and before every connection to an upstream.


local connection = require "kong.plugins.upstream-mtls.connection"
local decision = require "kong.plugins.upstream-mtls.decision"
local header_count = require "kong.plugins.upstream-mtls.patches.header_count"
local log_redaction = require "kong.plugins.upstream-mtls.log_redaction"
local grpc_path = require "kong.plugins.upstream-mtls.grpc_path"
local metrics = require "kong.plugins.upstream-mtls.metrics"
local policy_lookup = require "kong.plugins.upstream-mtls.policy_lookup"


local kong = kong
local ngx = ngx
local math = math


-- Plugins that answer in place of the upstream or send the request elsewhere, in their access handler. Others that do
-- are found when they have answered.
local ANSWERING = {
  ["ai-proxy"] = true,
  ["ai-proxy-advanced"] = true,
  ["ai-request-transformer"] = true,
  ["ai-response-transformer"] = true,
  ["ai-semantic-cache"] = true,
  ["aws-lambda"] = true,
  ["azure-functions"] = true,
  ["confluent"] = true,
  ["forward-proxy"] = true,
  ["graphql-proxy-cache-advanced"] = true,
  ["kafka-upstream"] = true,
  ["mocking"] = true,
  ["proxy-cache"] = true,
  ["proxy-cache-advanced"] = true,
  ["request-callout"] = true,
  ["request-termination"] = true,
  ["solace-upstream"] = true,
}


-- Kong requests a response that a plugin needs as a whole by a subrequest, with one of these methods or GET
-- (Kong.response in init.lua, seen in 3.4 to 3.10).
local BUFFERED_METHODS = {
  GET = true, HEAD = true, PUT = true, POST = true, DELETE = true, OPTIONS = true, MKCOL = true, COPY = true,
  MOVE = true, PROPFIND = true, PROPPATCH = true, LOCK = true, UNLOCK = true, PATCH = true, TRACE = true,
}


local MESSAGE = "No valid policy"


local function requirement(ctx)
  local found = ctx.mtls_requirement
  if found then
    return found
  end

  local route, service = ctx.route, ctx.service
  if not route then
    -- Kong answers such requests itself. Without a service, plugins like aws-lambda may answer.
    return nil
  end

  local err
  found, err = policy_lookup.requirement(route, service)
  if not found then
    kong.log.err("cannot read whether mtls-policy applies to this request: ", err)
    -- as a plugin it has decided once if it applies; how many filters have to is unknown
    found = { required = true, count = policy_lookup.runs_as_filter() and math.huge or 1 }
  end

  ctx.mtls_requirement = found
  decision.expect(ctx, found.count)
  return found
end


--- Whether mtls-policy has to decide on a request. May yield at the first call for a request.
-- @tparam table ctx the request's ngx.ctx
local function requires_decision(ctx)
  local found = requirement(ctx)
  return found ~= nil and found.required
end


--- The certificate that the policy of an undecided request selects where no rule says otherwise.
-- @treturn string|nil its name
local function default_certificate(ctx)
  if not policy_lookup.runs_as_filter() then
    return nil
  end

  local found = requirement(ctx)
  return found and found.default_certificate
end


-- The entry of a rejected request must not show the keys that its policy hides.
local function hide_keys(ctx)
  local found = ctx.mtls_requirement
  if found and found.hidden_names then
    log_redaction.hide_keys(found.hidden_names)
  end
end


local function reject(ctx, reason)
  hide_keys(ctx)
  metrics.count_rejection(ctx, "no decision")
  return decision.reject_undecided(reason)
end


--- Before the access handler of a plugin that runs after access control.
-- @tparam table ctx the request's ngx.ctx
-- @tparam string plugin its name
local function before_late_plugin(ctx, plugin)
  decision.decide_deferred(ctx)
  ctx.mtls_late_plugin = plugin
  if not decision.is_allowed(ctx) and requires_decision(ctx) and ANSWERING[plugin] then
    return reject(ctx, "the plugin " .. plugin .. " would answer before mtls-policy has decided on the request" ..
                  (policy_lookup.runs_as_filter() and "; filters run after all plugins: use the native runtime of " ..
                   "mtls-policy on this route, or remove the plugin" or ""))
  end
end


-- Why a gRPC request cannot be sent as it is to be. nginx sends its query as the client sent it, with a key in it.
local function grpc_obstacle(ctx)
  local reason = grpc_path.publish()
  if reason and requires_decision(ctx) then
    return reason
  end

  local names = grpc_path.applies_to(ngx.var.upstream_scheme) and requires_decision(ctx) and
                ctx.mtls_requirement.hidden_names
  if names and log_redaction.is_in_query(names) then
    return "the query of a gRPC request has an API key, and Kong cannot remove it"
  end
end


--- After the last access handler, before Kong resolves the target.
local function after_plugins(ctx)
  decision.decide_deferred(ctx)
  local reason = grpc_obstacle(ctx)
  if reason then
    hide_keys(ctx)
    kong.log.info("400: ", reason)
    return kong.response.error(400, "Bad request path")
  end

  if decision.is_allowed(ctx) or not requires_decision(ctx) then
    return
  end

  if not policy_lookup.runs_as_filter() then
    return reject(ctx, "mtls-policy is configured for this route, and this worker does not run it yet")
  end

  if ngx.var.args then
    -- the filter removes keys from what is sent, not from what is logged
    hide_keys(ctx)
  end

  local stale = policy_lookup.stale_reason()
  if stale then
    return reject(ctx, "Kong cannot rebuild its filter chains, so that the policies of this worker may be outdated: " ..
                  stale)
  end

  if header_count.exceeds_filters() then
    kong.log.info("431: more request headers than filters see")
    return kong.response.error(431, "Request Header Fields Too Large")
  end

  if not ctx.ran_wasm then
    return reject(ctx, "mtls-policy is configured for this route, and this worker does not run the filter: it has " ..
                  "not rebuilt its filter chains yet, or could not (see the errors at start and at the last change)")
  end
end


-- Why a request must not connect to its upstream now.
local function obstacle(ctx)
  local reason = decision.obstacle(ctx) or connection.obstacle(ctx)
  if reason then
    return reason
  end

  local found = ctx.mtls_requirement
  if found and found.required and not decision.is_allowed(ctx) then
    return "mtls-policy has not decided on the request"
  end
end


--- Before a connection to the upstream. Must not yield.
-- @treturn boolean whether it may be opened
local function may_connect(ctx)
  local reason = obstacle(ctx)
  if not reason then
    return true
  end

  metrics.count_rejection(ctx, "no decision")
  kong.log.err("503: ", reason)
  return false
end


--- Before Kong requests the whole response for a plugin, instead of running filters.
local function before_buffered_response(ctx)
  local reason = obstacle(ctx)
  if not reason and not BUFFERED_METHODS[ngx.req.get_method()] and requires_decision(ctx) then
    return reject(ctx, "a plugin on this route needs the whole response, for which Kong would replace the method " ..
                  ngx.req.get_method() .. " by GET")
  end

  if not reason then
    return
  end

  if policy_lookup.runs_as_filter() and requires_decision(ctx) then
    reason = "a plugin on this route needs the whole response (response handler or enable_buffering), and Kong " ..
             "skips the filter mtls-policy for it: use the native runtime of mtls-policy on this route, or remove " ..
             "the plugin"
  end

  return reject(ctx, reason)
end


--- Before the response is sent.
-- @treturn string|nil the body that replaces the response, if it must not be sent
local function replacement(ctx)
  if ctx.mtls_requirement and not decision.is_allowed(ctx) then
    -- a rejection by the filter, among others
    hide_keys(ctx)
  end

  local plugin = ctx.mtls_late_plugin
  if not plugin and not ctx.ran_wasm or ngx.status >= 400 or decision.is_allowed(ctx) then
    return nil
  end

  local found = ctx.mtls_requirement
  if not found or not found.required then
    return nil
  end

  metrics.count_rejection(ctx, "no decision")
  local answering = ctx.ran_wasm and "another filter" or "the plugin " .. plugin .. " or one after it"
  kong.log.err("503: ", answering, " has answered before mtls-policy decided on the request")
  return '{"message":"' .. MESSAGE .. '"}'
end


--- Patch Kong where the guard looks at requests. Once, when a worker starts; errors are those of the patches.
local prepared
local function prepare()
  if prepared or not policy_lookup.prepare() then
    return
  end

  prepared = true

  local late_plugins = require "kong.plugins.upstream-mtls.patches.late_plugins"
  local responses = require "kong.plugins.upstream-mtls.patches.responses"
  late_plugins.before_each(before_late_plugin)
  responses.before_sending(replacement)
  responses.before_buffering(before_buffered_response)
  require("kong.plugins.upstream-mtls.patches.access_end").add(after_plugins)
  require("kong.plugins.upstream-mtls.patches.balancer").add_check(may_connect)
end


return {
  prepare = prepare,
  requires_decision = requires_decision,
  default_certificate = default_certificate,
  hide_keys = hide_keys,
}
