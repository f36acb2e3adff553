--- What the plugin mtls-policy wants of a request, kept until this plugin's turn comes.
--
-- It decides when key-auth would, long before upstream-mtls runs. Until its choice is carried out no request goes to an
-- upstream: not where upstream-mtls is not configured for the route, nor where the upstream speaks no TLS.


local type = type


--- Present a certificate.
-- @tparam table ctx the request's ngx.ctx
-- @tparam string name
local function choose(ctx, name)
  ctx.upstream_mtls_choice = name
end


--- Decide later, when all that authenticate have run.
-- @tparam table ctx the request's ngx.ctx
-- @tparam function decide chooses, or answers the client
local function defer(ctx, decide)
  ctx.upstream_mtls_choice = decide
end


--- The certificate that was chosen, to be presented now.
-- @treturn string|nil
local function take(ctx)
  local choice = ctx.upstream_mtls_choice
  if type(choice) == "function" then
    choice()
    if ctx.upstream_mtls_choice == choice then
      ctx.upstream_mtls_choice = nil
    end
  end

  return ctx.upstream_mtls_choice
end


--- What was chosen is presented.
local function carried_out(ctx)
  ctx.upstream_mtls_choice = nil
end


--- Whether something was chosen, or is to be, and is not presented.
local function is_pending(ctx)
  return ctx.upstream_mtls_choice ~= nil
end


return {
  choose = choose,
  defer = defer,
  take = take,
  carried_out = carried_out,
  is_pending = is_pending,
}
