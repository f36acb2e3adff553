--- The native library: found, loaded, and given its handles back.
--
-- It lies where Lua looks for C modules (`lua_package_cpath`), beside other native libraries of Kong's.


local cdef = require "kong.plugins.mtls-policy.cdef"
local ffi = require "ffi"


local error = error
local package = package
local pcall = pcall
local gmatch = string.gmatch
local match = string.match
local open = io.open
local ffi_string = ffi.string


local LIBRARY = "libmtls_policy_native.so"
local VERSION = "0.1.0"


local function find()
  for pattern in gmatch(package.cpath, "[^;]+") do
    local path = (match(pattern, "^(.*/)") or "") .. LIBRARY
    local file = open(path, "rb")
    if file then
      file:close()
      return path
    end
  end

  error("mtls-policy: there is no " .. LIBRARY .. " on lua_package_cpath: " .. package.cpath, 0)
end


-- a Lua state reads this file once, but declarations outlive it
if not pcall(ffi.typeof, "mtls_policy_decision") then
  ffi.cdef(cdef)
end


local C = ffi.load(find())
if ffi_string(C.mtls_policy_version()) ~= VERSION then
  error("mtls-policy: " .. find() .. " is of version " .. ffi_string(C.mtls_policy_version()) .. ", the plugin of " ..
        VERSION .. ": install both from one release", 0)
end


--- @tparam cdata text mtls_policy_text
-- @treturn string|nil
local function text(of)
  if of.data ~= nil then
    return ffi_string(of.data, of.len)
  end
end


--- Say what is wrong with a policy by itself, whatever its consumers file holds.
-- @tparam string document JSON
-- @treturn string|nil all of it, one a line
local function problems_of(document)
  local policy = C.mtls_policy_check(document, #document)
  local problems = text(C.mtls_policy_problems(policy))
  -- not left to the garbage collector, which does not know how large it is
  C.mtls_policy_free(policy)
  return problems
end


--- Compile a policy.
-- @tparam string document JSON
-- @tparam cdata|nil consumers of its consumers file
-- @treturn cdata the policy, which refuses every request if there are problems
-- @treturn string|nil problems, one a line
local function compile(document, consumers)
  local policy = ffi.gc(C.mtls_policy_compile(document, #document, consumers), C.mtls_policy_free)
  return policy, text(C.mtls_policy_problems(policy))
end


return {
  C = C,
  text = text,
  problems_of = problems_of,
  compile = compile,
}
