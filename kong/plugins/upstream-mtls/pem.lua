--- From PEM text to certificates, keys and trust anchors in the form that nginx takes.
--
-- Nothing here reads a file or a clock. No message contains any of the text that was given.


local ngx_ssl = require "ngx.ssl"
local openssl_pkey = require "resty.openssl.pkey"
local openssl_x509 = require "resty.openssl.x509"
local openssl_crl = require "resty.openssl.x509.crl"
local openssl_store = require "resty.openssl.x509.store"
local to_hex = require("resty.string").to_hex
local identity = require "kong.plugins.upstream-mtls.identity"


local ipairs = ipairs
local tostring = tostring
local find = string.find
local fmt = string.format
local gmatch = string.gmatch
local gsub = string.gsub
local min = math.min


local CERTIFICATE = "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-.-%-%-%-%-%-END CERTIFICATE%-%-%-%-%-"
local LIST = "%-%-%-%-%-BEGIN X509 CRL%-%-%-%-%-.-%-%-%-%-%-END X509 CRL%-%-%-%-%-"
local BEGIN_LIST = "%-%-%-%-%-BEGIN X509 CRL%-%-%-%-%-"
local BEGIN_CERTIFICATE = "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-"


local function common_name(x509)
  local subject = x509:get_subject_name()
  local entry = subject and subject:find("CN")
  return entry and entry.blob or "no common name"
end


-- All blocks of one kind, in a text's order. A block that was begun and not ended is a file half written.
local function parse_blocks(pem, what, begin, whole, parser)
  local _, begun = gsub(pem, begin, "")
  local parsed = {}
  for block in gmatch(pem, whole) do
    local one = parser.new(block, "PEM")
    if not one then
      return nil, fmt("%s %d cannot be parsed", what, #parsed + 1)
    end

    parsed[#parsed + 1] = one
  end

  if begun == 0 then
    return nil, fmt("there is no PEM %s in it", what)
  end

  if begun ~= #parsed then
    return nil, fmt("%s %d is cut off", what, #parsed + 1)
  end

  return parsed
end


local function parse_certificates(pem)
  return parse_blocks(pem, "certificate", BEGIN_CERTIFICATE, CERTIFICATE, openssl_x509)
end


local function parse_key(pem)
  -- OpenSSL would ask for the passphrase on Kong's terminal
  if find(pem, "ENCRYPTED", 1, true) then
    return nil, "the private key is encrypted; give it without a passphrase"
  end

  local key = openssl_pkey.new(pem, { format = "PEM", type = "pr" })
  if not key then
    return nil, "there is no usable PEM private key in it"
  end

  return key
end


local function digest(certificates, ...)
  local parts = { ... }
  for _, x509 in ipairs(certificates) do
    parts[#parts + 1] = x509:tostring("DER")
  end

  return identity.digest(parts)
end


--- A client certificate: chain, leaf first, and private key.
-- @tparam string chain PEM
-- @tparam string key PEM
-- @treturn table|nil `chain` and `key` (what nginx takes), `common_name`, `fingerprint` (SHA-256 of the leaf, hex),
-- `not_before` and `not_after` of the leaf (Unix time), `digest` (of chain and key)
-- @treturn nil|string what is wrong with it
local function parse_client_certificate(chain, key)
  local certificates, err = parse_certificates(chain)
  if not certificates then
    return nil, "chain: " .. err
  end

  local private_key
  private_key, err = parse_key(key)
  if not private_key then
    return nil, "key: " .. err
  end

  local leaf = certificates[1]
  if not leaf:check_private_key(private_key) then
    return nil, fmt("the private key does not belong to the chain's first certificate (%s)", common_name(leaf))
  end

  local nginx_chain, nginx_key
  nginx_chain, err = ngx_ssl.parse_pem_cert(chain)
  if nginx_chain then
    nginx_key, err = ngx_ssl.parse_pem_priv_key(key)
  end

  if not nginx_key then
    return nil, err
  end

  local not_before, not_after = leaf:get_lifetime()

  return {
    chain = nginx_chain,
    key = nginx_key,
    common_name = common_name(leaf),
    fingerprint = to_hex(leaf:digest("sha256")),
    not_before = not_before,
    not_after = not_after,
    -- the public half stands for the private one, which is hashed nowhere
    digest = digest(certificates, private_key:to_PEM("public")),
  }
end


-- What OpenSSL checks an upstream's chain against.
local function new_store(certificates, lists)
  local store, err = openssl_store.new()
  if not store then
    return nil, err
  end

  for i, x509 in ipairs(certificates) do
    local ok
    ok, err = store:add(x509)
    if not ok then
      return nil, fmt("certificate %d: %s", i, tostring(err))
    end
  end

  for i, list in ipairs(lists or {}) do
    local ok
    ok, err = store:add(list)
    if not ok then
      return nil, fmt("CRL %d: %s", i, tostring(err))
    end
  end

  -- An intermediate CA given alone is an anchor too, as the admin said. With lists, one is wanted of each CA in the
  -- chain, and none that is out of date.
  local flags = openssl_store.verify_flags
  local ok
  if lists then
    ok, err = store:set_flags(flags.X509_V_FLAG_PARTIAL_CHAIN, flags.X509_V_FLAG_CRL_CHECK,
                              flags.X509_V_FLAG_CRL_CHECK_ALL)
  else
    ok, err = store:set_flags(flags.X509_V_FLAG_PARTIAL_CHAIN)
  end

  return ok and store, err
end


--- Trust anchors: what an upstream's certificate must chain to.
-- @tparam string pem one or more certificates
-- @tparam boolean any whether certificates that are no CAs are let in, as in a system's own bundle
-- @treturn table|nil `store` (a resty.openssl.x509.store), `certificates`, `not_after` of the one that ends first,
-- `digest`
-- @treturn nil|string what is wrong with it
local function parse_anchors(pem, any)
  local certificates, err = parse_certificates(pem)
  if not certificates then
    return nil, err
  end

  local first_end
  for i, x509 in ipairs(certificates) do
    if not any and not x509:get_basic_constraints("CA") then
      return nil, fmt("certificate %d (%s) is not a CA", i, common_name(x509))
    end

    local not_after = x509:get_not_after()
    first_end = first_end and min(first_end, not_after) or not_after
  end

  local store
  store, err = new_store(certificates)
  if not store then
    return nil, err
  end

  return { store = store, certificates = certificates, not_after = first_end, digest = digest(certificates) }
end


--- What authorities have revoked.
-- @tparam string pem one or more CRLs
-- @treturn table|nil `lists`, `not_after` of the one that is out of date first, `digest`
-- @treturn nil|string what is wrong with it
local function parse_revocations(pem)
  local lists, err = parse_blocks(pem, "CRL", BEGIN_LIST, LIST, openssl_crl)
  if not lists then
    return nil, err
  end

  local first_end
  for _, list in ipairs(lists) do
    local next_update = list:get_next_update()
    first_end = first_end and min(first_end, next_update) or next_update
  end

  return { lists = lists, not_after = first_end, digest = digest(lists) }
end


--- Trust anchors that believe in nothing that was revoked.
-- @tparam table anchors
-- @tparam table revocations
-- @treturn table|nil as parse_anchors
-- @treturn nil|string
local function with_revocations(anchors, revocations)
  local store, err = new_store(anchors.certificates, revocations.lists)
  if not store then
    return nil, err
  end

  return {
    store = store,
    not_after = anchors.not_after,
    digest = identity.digest({ anchors.digest, revocations.digest }),
  }
end


return {
  parse_client_certificate = parse_client_certificate,
  parse_anchors = parse_anchors,
  parse_revocations = parse_revocations,
  with_revocations = with_revocations,
}
