--- Stand-ins for what Kong and OpenResty provide, so that unit specs run in plain LuaJIT.
--
-- Two kinds. Globals (`kong`, `ngx`) are always replaced, by tables that record what a module did. Modules
-- (`resty.openssl.x509`, `ngx.ssl`, `cjson`, …) are replaced only where the real one is missing: inside of Kong's own
-- `bin/busted`, the same specs run against the real modules. The stand-ins parse with Debian's OpenSSL binding, so
-- that certificates and keys are real ones.


local _G = _G
local assert = assert
local error = error
local getmetatable = getmetatable
local ipairs = ipairs
local package = package
local pairs = pairs
local pcall = pcall
local rawget = rawget
local rawset = rawset
local require = require
local select = select
local setmetatable = setmetatable
local tonumber = tonumber
local tostring = tostring
local type = type
local concat = table.concat
local find = string.find
local gsub = string.gsub
local byte = string.byte
local char = string.char
local fmt = string.format
local lower = string.lower


local START = 1700000000


-- Stands for a field that is taken away from a default, where `nil` would be no entry.
local NONE = {}


-- The real one, inside of OpenResty.
local real_ngx = _G.ngx


local function is_installed(name)
  return package.loaded[name] ~= nil or package.searchpath(name, package.path) ~= nil or
         package.searchpath(name, package.cpath) ~= nil
end


local function to_hex(bytes)
  return (gsub(bytes, ".", function(each)
    return fmt("%02x", byte(each))
  end))
end


-- What resty.openssl does with an error.
local function caught(fn, ...)
  local ok, value = pcall(fn, ...)
  if ok then
    return value
  end

  return nil, tostring(value)
end


local modules = {}


modules["resty.string"] = function()
  return { to_hex = to_hex }
end


modules["resty.sha256"] = function()
  local digest = require "openssl.digest"
  local Sha256 = {}
  Sha256.__index = Sha256

  function Sha256:update(text)
    self.digest:update(text)
    return true
  end

  function Sha256:final()
    return self.digest:final()
  end

  return {
    new = function()
      return setmetatable({ digest = digest.new("sha256") }, Sha256)
    end,
  }
end


modules["resty.openssl.rand"] = function()
  return require "openssl.rand"
end


modules["resty.openssl.pkey"] = function()
  local pkey = require "openssl.pkey"
  local Key = {}
  Key.__index = Key

  function Key:to_PEM(half)
    return self.key:toPEM(half)
  end

  return {
    new = function(pem)
      local key, err = caught(pkey.new, pem, "PEM")
      -- a public key parses, too
      if not key or not caught(key.toPEM, key, "private") then
        return nil, err or "not a private key"
      end

      return setmetatable({ key = key }, Key)
    end,
  }
end


modules["resty.openssl.x509"] = function()
  local x509 = require "openssl.x509"
  local Certificate = {}
  Certificate.__index = Certificate

  function Certificate:get_subject_name()
    local subject = self.certificate:getSubject()
    return {
      find = function(_, wanted)
        for name, value in subject:each() do
          if name == wanted then
            return { blob = value }
          end
        end
      end,
    }
  end

  function Certificate:check_private_key(key)
    return self.certificate:getPublicKey():toPEM("public") == key.key:toPEM("public")
  end

  function Certificate:get_lifetime()
    local not_before, not_after = self.certificate:getLifetime()
    return not_before, not_after
  end

  function Certificate:get_not_after()
    return (select(2, self.certificate:getLifetime()))
  end

  function Certificate:get_basic_constraints(name)
    return self.certificate:getBasicConstraints(name)
  end

  function Certificate:digest(algorithm)
    return self.certificate:digest(algorithm, "s")
  end

  function Certificate:tostring(format)
    return self.certificate:tostring(format)
  end

  return {
    new = function(pem)
      local certificate, err = caught(x509.new, pem, "PEM")
      return certificate and setmetatable({ certificate = certificate }, Certificate), err
    end,
  }
end


modules["resty.openssl.x509.crl"] = function()
  local crl = require "openssl.x509.crl"
  local List = {}
  List.__index = List

  function List:get_next_update()
    return self.list:getNextUpdate()
  end

  function List:tostring(format)
    return self.list:tostring(format)
  end

  return {
    new = function(pem)
      local list, err = caught(crl.new, pem, "PEM")
      return list and setmetatable({ list = list }, List), err
    end,
  }
end


modules["resty.openssl.x509.store"] = function()
  local store = require "openssl.x509.store"
  local Store = {}
  Store.__index = Store

  function Store:add(item)
    local ok, err = caught(self.store.add, self.store, item.certificate or item.list)
    return ok and true, err
  end

  function Store:set_flags(...)
    self.flags = { ... }
    return true
  end

  return {
    verify_flags = {
      X509_V_FLAG_PARTIAL_CHAIN = "partial chain",
      X509_V_FLAG_CRL_CHECK = "CRL check",
      X509_V_FLAG_CRL_CHECK_ALL = "CRL check all",
    },
    new = function()
      return setmetatable({ store = store.new() }, Store)
    end,
  }
end


-- nginx' own form of certificates and keys, which plugins hand on and do not look into.
modules["ngx.ssl"] = function()
  local function parse(pem)
    return find(pem, "-----BEGIN", 1, true) and { pem = pem } or nil, "no PEM"
  end

  return { parse_pem_cert = parse, parse_pem_priv_key = parse }
end


-- OpenResty's cjson: an empty table is an object, and an array with this metatable. Debian's cjson does not have it.
modules["cjson"] = function()
  local dkjson = require "dkjson"
  local OBJECT = { __jsontype = "object" }
  local ARRAY = { __jsontype = "array" }

  local function marked(value)
    if type(value) ~= "table" or value == dkjson.null then
      return value
    end

    local copy = {}
    for name, element in pairs(value) do
      copy[name] = marked(element)
    end

    local is_array = getmetatable(value) == ARRAY or #value > 0
    return setmetatable(copy, is_array and ARRAY or OBJECT)
  end

  return {
    array_mt = ARRAY,
    null = dkjson.null,
    encode = function(value)
      return dkjson.encode(marked(value))
    end,
    decode = function(text)
      return assert(dkjson.decode(text, 1, dkjson.null, nil))
    end,
  }
end


modules["cjson.safe"] = function()
  local dkjson = require "dkjson"
  local safe = {
    null = dkjson.null,
    encode = dkjson.encode,
    decode = function(text)
      local value, _, err = dkjson.decode(text)
      return value, err
    end,
    decode_array_with_array_mt = function() end,
    encode_number_precision = function() end,
  }
  safe.new = function()
    return safe
  end

  return safe
end


-- Names, so that a spec can tell which of Kong's own definitions a schema uses.
modules["kong.db.schema.typedefs"] = function()
  return {
    protocols_http = { name = "protocols_http" },
    no_consumer = { name = "no_consumer" },
    no_consumer_group = { name = "no_consumer_group" },
    uuid = function(options)
      options.name = "uuid"
      return options
    end,
  }
end


-- Kong and nginx end a request's Lua code when it answers the client.
local ANSWERED = {}


local function answer(world, response)
  world.response = response
  error(ANSWERED, 0)
end


--- Runs code as Kong runs a handler: it ends when it answers the client.
-- @tparam table world of `reset`
-- @tparam function fn
-- @treturn table|nil the answer: `status`, `message` or `body`, `headers`
-- @treturn any what the function returned, if it did not answer
local function run(world, fn, ...)
  world.response = nil
  local ok, result = pcall(fn, ...)
  if not ok and result ~= ANSWERED then
    error(result, 0)
  end

  if not ok then
    return world.response
  end

  return nil, result
end


local function unescape_uri(text)
  return (gsub(text, "%%(%x%x)", function(hex)
    return char(tonumber(hex, 16))
  end))
end


local function new_log(entries, serialized)
  local log = {}
  for _, level in ipairs({ "debug", "info", "notice", "warn", "err", "crit" }) do
    log[level] = function(...)
      local texts = { ... }
      for i = 1, select("#", ...) do
        texts[i] = tostring(texts[i])
      end

      entries[#entries + 1] = { level = level, text = concat(texts) }
    end
  end

  log.set_serialize_value = function(name, value)
    serialized[name] = value
  end
  return log
end


-- An nginx request's headers: one value for each name, in any case, with `_` and `-` apart.
local function new_headers()
  return setmetatable({}, {
    __index = function(headers, name)
      return rawget(headers, lower(name))
    end,
    __newindex = function(headers, name, value)
      rawset(headers, lower(name), value)
    end,
  })
end


-- What `replace` has replaced, by name.
local replaced = {}


local function restore_modules()
  for name, module in pairs(replaced) do
    package.loaded[name] = module or nil
  end

  replaced = {}
end


local function unload_plugins()
  for name in pairs(package.loaded) do
    if find(name, "^kong%.plugins%.upstream%-mtls") or find(name, "^kong%.plugins%.mtls%-policy") then
      package.loaded[name] = nil
    end
  end
end


--- Replaces the globals `kong` and `ngx`, and unloads the plugins' modules so that they see the new ones.
-- @tparam table|nil configuration fields of `kong.configuration`
-- @treturn table what the modules did and see: `log` (entries `{ level, text }`), `time` (Unix time, settable),
-- `headers` (of the request), `response` (the last answer to the client, see `run`), `presented`
-- (`kong.service.set_tls_*`, name and argument), `serialized` (`kong.log.set_serialize_value`), `timers` (delay and
-- function), `events` (source, event, handler), `ctx` (`ngx.ctx`), `var` (`ngx.var`), `consumer` and `credential` (of
-- `kong.client`), `kong`
local function reset(configuration)
  local world = {
    log = {},
    time = START,
    headers = new_headers(),
    presented = {},
    serialized = {},
    timers = {},
    events = {},
    ctx = {},
    var = {},
  }

  local kong = {
    version = "3.9.3",
    configuration = configuration or {},
    ctx = { shared = {} },
    log = new_log(world.log, world.serialized),
    response = {
      error = function(status, message, headers)
        answer(world, { status = status, message = message, headers = headers })
      end,
      exit = function(status, body, headers)
        answer(world, { status = status, body = body, headers = headers })
      end,
    },
    service = { request = {} },
    client = {},
    db = {},
    worker_events = {
      register = function(handler, source, event)
        world.events[#world.events + 1] = { source = source, event = event, handler = handler }
      end,
    },
  }
  kong.configuration.loaded_plugins = kong.configuration.loaded_plugins or {}

  for _, setter in ipairs({ "set_tls_cert_key", "set_tls_verify", "set_tls_verify_depth", "set_tls_verify_store" }) do
    kong.service[setter] = function(value)
      world.presented[#world.presented + 1] = { setter, value }
      return true
    end
  end

  kong.client.get_consumer = function()
    return world.consumer
  end
  kong.client.get_credential = function()
    return world.credential
  end
  kong.client.authenticate = function(consumer, credential)
    world.consumer, world.credential = consumer, credential
  end
  kong.service.request.clear_header = function(name)
    world.headers[name] = nil
  end
  kong.service.request.set_header = function(name, value)
    world.headers[name] = value
  end

  local null = real_ngx and real_ngx.null or require("cjson").null
  local ngx = {
    null = null,
    ctx = world.ctx,
    var = world.var,
    time = function()
      return world.time
    end,
    now = function()
      return world.time
    end,
    get_phase = function()
      return world.phase or "access"
    end,
    exit = function(status)
      answer(world, { status = status })
    end,
    status = 200,
    unescape_uri = real_ngx and real_ngx.unescape_uri or unescape_uri,
    req = {
      clear_header = kong.service.request.clear_header,
      set_header = kong.service.request.set_header,
      get_method = function()
        return world.method or "GET"
      end,
    },
    timer = {
      at = function(delay, fn)
        world.timers[#world.timers + 1] = { delay = delay, fn = fn }
        return true
      end,
      every = function(delay, fn)
        world.timers[#world.timers + 1] = { delay = delay, fn = fn, every = true }
        return true
      end,
    },
  }

  _G.kong = kong
  _G.ngx = setmetatable(ngx, { __index = real_ngx })
  restore_modules()
  unload_plugins()
  world.kong = kong
  return world
end


--- Puts a module in the place of one that needs more than stand-ins, such as the native library. Until the next
-- `reset`.
-- @tparam string name
-- @tparam table|nil module nil: the next `require` loads it
local function replace(name, module)
  if replaced[name] == nil then
    replaced[name] = package.loaded[name] or false
  end

  package.loaded[name] = module
end


--- The log entries of one level, as texts.
local function texts(world, level)
  local found = {}
  for _, entry in ipairs(world.log) do
    if entry.level == level then
      found[#found + 1] = entry.text
    end
  end

  return found
end


for name, load in pairs(modules) do
  if (name == "cjson" or name == "cjson.safe") and is_installed(name) then
    -- OpenResty's own knows array_mt
    local ok, cjson = pcall(require, name)
    if not ok or not cjson.array_mt then
      package.loaded[name] = load()
    end
  elseif not is_installed(name) then
    package.preload[name] = load
  end
end


return {
  reset = reset,
  run = run,
  replace = replace,
  texts = texts,
  NONE = NONE,
}
