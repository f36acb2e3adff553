--- Runs functions when the last plugin's access handler has run, before Kong resolves the target.
--
-- Kong limitation: no plugin phase lies between the access handlers and the balancer. Kong.access (init.lua, seen in
-- 3.4 to 3.10) calls `access.after` of kong.runloop.handler there, through the module's table.


local assert = assert
local ipairs = ipairs
local require = require


local before, after, last = {}, {}, {}
local installed


local function install()
  local access = assert(require("kong.runloop.handler").access, "kong.runloop.handler has no access")
  local original = assert(access.after, "kong.runloop.handler has no access.after")
  access.after = function(ctx)
    for _, fn in ipairs(before) do
      fn(ctx)
    end

    original(ctx)
    for _, fn in ipairs(after) do
      fn(ctx)
    end

    for _, fn in ipairs(last) do
      fn(ctx)
    end
  end

  installed = true
end


local function add_to(functions)
  return function(fn)
    if not installed then
      install()
    end

    functions[#functions + 1] = fn
  end
end


return {
  --- Add a function to run before Kong resolves the target. It gets `ngx.ctx`; it may yield and answer the client.
  add = add_to(before),
  --- Add a function to run when Kong has resolved the target. It gets `ngx.ctx`; it may yield and answer the client.
  add_after = add_to(after),
  --- Add a function to run after those, right before filters. It must not yield.
  add_last = add_to(last),
}
