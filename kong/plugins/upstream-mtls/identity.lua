--- Who a connection to the upstream is: what was presented, and what was believed.
--
-- Two requests may share a connection only if their identities are equal. A name or an entity's id is not an
-- identity: what stands behind it can be replaced.


local rand = require "resty.openssl.rand"
local resty_sha256 = require "resty.sha256"
local to_hex = require("resty.string").to_hex


local assert = assert
local ipairs = ipairs
local tostring = tostring
local sub = string.sub


-- OpenResty 1.27.1 before Kong's patch of 2025-04 pooled no connection under a longer name, and it compares names
-- without regard to case: lower-case hex.
local MAX_LENGTH = 32


-- New with each start and each reload. Certificates are no secret, and the server's name before the identity is the
-- client's to choose where a route has preserve_host: on 3.4 to 3.9 a request without the plugin would come to
-- `server name|identity` by spelling it.
local SECRET = assert(rand.bytes(32))


--- SHA-256 over several strings, each preceded by its length, so that no two lists of parts run together.
-- @tparam {string,...} parts
-- @treturn string 64 lower-case hex digits
local function digest(parts)
  local sha256 = resty_sha256:new()
  for _, part in ipairs(parts) do
    sha256:update(#part .. ":")
    sha256:update(part)
  end

  return to_hex(sha256:final())
end


--- The identity of a connection.
--
-- The server's name is not in it because Kong's own pool name carries it (`ip|port|server name|id`); Kong chooses
-- it after the plugins have run, and anew for each retry.
-- @tparam string|nil certificate digest of chain and key; nil where nothing is presented
-- @tparam string|nil anchors digest of the trust anchors; nil for those of nginx' own configuration
-- @tparam boolean|nil verify nil where nginx' own configuration decides
-- @tparam number|nil depth likewise
-- @tparam string scheme what is spoken over it: https and grpcs share no connection
-- @treturn string 32 lower-case hex digits
local function identity(certificate, anchors, verify, depth, scheme)
  local parts = { certificate or "none", anchors or "none", tostring(verify), tostring(depth), scheme, SECRET }
  return sub(digest(parts), 1, MAX_LENGTH)
end


return {
  digest = digest,
  identity = identity,
}
