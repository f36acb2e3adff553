--- Keeps filter chains until no request uses them, and frees them while no filter runs.
--
-- Kong limitation (resty/wasmx/proxy_wasm.lua and ngx_wasm_module, seen in 3.6 to 3.9): Kong leaves replaced filter
-- chains to Lua's garbage collector. To free one destroys the instances of all filters in the worker. When the
-- collector frees one while a filter reads a property that is answered in Lua, the running instance is destroyed, and
-- the worker crashes (signal 11 in ngx_proxy_wasm_alloc, seen on 3.9.3). A request that is under way may also still use
-- a chain that has been replaced.


local ffi = require "ffi"


local ngx = ngx
local pcall = pcall
local require = require
local C = ffi.C
local ffi_gc = ffi.gc


-- Seconds between two looks at what the collector has found.
local INTERVAL = 1


-- Chains that nothing refers to any more.
local unused = {}


-- Runs in the garbage collector.
local function defer(chain)
  unused[#unused + 1] = chain
end


local function free_unused()
  local chains = unused
  unused = {}
  for i = 1, #chains do
    C.ngx_http_wasm_ffi_plan_free(chains[i])
  end
end


--- Patch how Kong creates and attaches filter chains. Once, when a worker starts, before Kong creates any.
-- @treturn boolean|nil
-- @treturn nil|string the error of the timer
local function prepare()
  local ok, proxy_wasm = pcall(require, "resty.wasmx.proxy_wasm")
  if not ok or not proxy_wasm.new then
    -- no WebAssembly
    return true
  end

  local new, attach = proxy_wasm.new, proxy_wasm.attach
  function proxy_wasm.new(filters)
    local chain, err = new(filters)
    return chain and ffi_gc(chain, defer), err
  end

  function proxy_wasm.attach(chain, opts)
    ngx.ctx.mtls_filter_chain = chain
    return attach(chain, opts)
  end

  return ngx.timer.every(INTERVAL, free_unused)
end


return { prepare = prepare }
