--- Tells requests with more headers than a filter sees.
--
-- Kong limitation: ngx_wasm_module gives a filter the first 100 request headers, pseudo-headers included (seen on
-- 3.9.3). nginx sends the others to the upstream, so that a filter can neither check nor remove them. The number is
-- read by the function that lua-resty-core's ngx.req.get_headers calls (OpenResty 1.21 to 1.27): a Lua table of all
-- headers would cost more than the whole decision.


local base = require "resty.core.base"
local ffi = require "ffi"
require "resty.core.request"


local tonumber = tonumber
local get_request = base.get_request
local C = ffi.C


-- Of 100, with room for pseudo-headers and for what Kong adds.
local MAX = 90
local ALL = 0


local truncated = ffi.new("int[1]")


--- Whether the current request has more headers than a filter is sure to see.
local function exceeds_filters()
  return tonumber(C.ngx_http_lua_ffi_req_get_headers_count(get_request(), ALL, truncated)) > MAX
end


return { exceeds_filters = exceeds_filters }
