--- Answers properties for filters in the coroutine of their request.
--
-- Kong limitation (resty/wasmx/proxy_wasm.lua and LuaJIT, seen in 3.9.3): ngx_wasm_module calls Lua from C for a
-- property. LuaJIT runs such a callback on the coroutine that has used the FFI last, and Kong's callback makes that
-- coroutine belong to the filter's request. Kong prepares this (wasm.attach) before it resolves the target, which may
-- yield. Then it may be the coroutine of another request or of a timer, which goes on with the wrong request, or with
-- one that has ended: workers crashed (signal 11 in ngx_http_lua_sema_handler and ngx_wasm_ops_resume).
--
-- So the FFI is used once more when nothing yields any more before the filters run.


local access_end = require "kong.plugins.upstream-mtls.patches.access_end"
local ffi = require "ffi"
local jit = require "jit"


local new = ffi.new


local function use_ffi()
  new("int[1]")
end


-- Compiled code does not tell LuaJIT in which coroutine it runs.
jit.off(use_ffi)


--- Patch Kong. Once, when a worker starts.
local function prepare()
  access_end.add_last(use_ffi)
end


return { prepare = prepare }
