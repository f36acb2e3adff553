--- The decision of mtls-policy on a request, and the client certificate that it selects.
--
-- A request goes through these states, kept in its `ngx.ctx`:
--
-- - undecided: nothing is set.
-- - deferred: mtls-policy (as a plugin) waits for the authentication plugins; `decide_deferred` ends the state.
-- - allowed: every policy allows the request, and may have selected a certificate by name.
-- - applied: upstream-mtls has configured the upstream connection for the selected certificate.
--
-- A rejected request has been answered and needs no state. A request may connect to an upstream when it is undecided
-- and no policy applies to it (see decision_guard.lua), or when it is allowed and its certificate is applied.


local kong = kong
local ngx = ngx


local decide


--- Set the function that ends the deferred state. Once, when a worker starts.
-- @tparam function fn called with `ngx.ctx` and the policy; it allows the request or answers the client
local function set_decider(fn)
  decide = fn
end


--- Decide later, when the authentication plugins have run.
-- @tparam table ctx the request's ngx.ctx
-- @tparam table policy
local function defer(ctx, policy)
  ctx.mtls_deferred_policy = policy
end


--- Decide on a deferred request now. Does nothing for other requests. May yield.
local function decide_deferred(ctx)
  local policy = ctx.mtls_deferred_policy
  if policy then
    ctx.mtls_deferred_policy = nil
    decide(ctx, policy)
  end
end


--- Set how many policies have to allow a request: as a filter, mtls-policy may be in the chains of service and route.
local function expect(ctx, count)
  ctx.mtls_expected_decisions = count
end


--- Allow a request, for one policy.
-- @tparam table ctx the request's ngx.ctx
-- @tparam string|nil certificate name of the client certificate to present; nil keeps what upstream-mtls is
-- configured for
local function allow(ctx, certificate)
  ctx.mtls_decisions = (ctx.mtls_decisions or 0) + 1
  ctx.mtls_selected = certificate
  if certificate then
    -- The decision is made for this target; see connection.lua, verify_target.
    local target = ctx.balancer_data
    ctx.mtls_selected_scheme = ngx.var.upstream_scheme
    ctx.mtls_selected_host = target.host
    ctx.mtls_selected_port = target.port
  end
end


--- The selected certificate, as long as it is not applied.
-- @treturn string|nil
local function selected(ctx)
  return ctx.mtls_selected
end


--- Mark the selected certificate as applied.
local function mark_applied(ctx)
  ctx.mtls_selected = nil
end


local function is_allowed(ctx)
  local decisions = ctx.mtls_decisions
  return decisions ~= nil and decisions >= (ctx.mtls_expected_decisions or 1)
end


--- Whether mtls-policy has left something to do: a deferred decision or a selected certificate that is not applied.
local function is_unfinished(ctx)
  return ctx.mtls_deferred_policy ~= nil or ctx.mtls_selected ~= nil
end


--- Why a request must not connect to its upstream.
-- @treturn string|nil the reason, for the log; nil if it may connect
local function obstacle(ctx)
  if ctx.mtls_deferred_policy then
    return "mtls-policy has not decided on the request"
  end

  if ctx.mtls_selected then
    return "mtls-policy selected client certificate \"" .. ctx.mtls_selected ..
           "\", but the plugin upstream-mtls is not configured for this request"
  end
end


--- Reject the current request because nothing has decided on it.
-- @tparam string reason for the log
local function reject_undecided(reason)
  kong.log.err("503: ", reason)
  return kong.response.error(503, "No valid policy")
end


return {
  set_decider = set_decider,
  defer = defer,
  decide_deferred = decide_deferred,
  expect = expect,
  allow = allow,
  selected = selected,
  mark_applied = mark_applied,
  is_allowed = is_allowed,
  is_unfinished = is_unfinished,
  obstacle = obstacle,
  reject_undecided = reject_undecided,
}
