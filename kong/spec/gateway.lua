--- What integration specs share: a Kong that is started with Kong's own `spec.helpers`, and an upstream that asks for
-- client certificates.
--
-- Ports are free ones. `kong/spec/in-kong.sh` chooses Kong's, and sets where Kong looks for Lua modules.


local io = io
local os = os
local assert = assert
local debug = debug
local ipairs = ipairs
local pairs = pairs
local pcall = pcall
local require = require
local setmetatable = setmetatable
local tostring = tostring
local type = type
local concat = table.concat
local fmt = string.format
local match = string.match
local insert = table.insert


local ROOT = match(debug.getinfo(1, "S").source, "^@(.*)/kong/spec/gateway%.lua$")
local FILTERS = ROOT .. "/target/filters"
local LIBRARIES = ROOT .. "/target/native"
-- Where Kong finds upstream-mtls and not mtls-policy, as with the wasm runtime.
local UPSTREAM_MTLS_ONLY = ROOT .. "/target/spec"

local NO_HELPERS = "needs Kong's spec.helpers: set KONG_SOURCE to a Kong source checkout, see CONTRIBUTING.md"
local NEEDED_FILES = {
  native = { path = LIBRARIES .. "/libmtls_policy_native.so", target = "make native" },
  wasm = { path = FILTERS .. "/mtls-policy.wasm", target = "make filter" },
}

-- Seconds after which a condition counts as not met.
local DEADLINE = 20

-- Requests after which each of two workers has answered some.
local MANY = 20

local UPSTREAM = [[
daemon on;
pid %(dir)/nginx.pid;
error_log %(dir)/error.log;
worker_processes 1;
env LUA_PATH;
env LUA_CPATH;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path %(dir)/body;
  proxy_temp_path %(dir)/proxy;
  fastcgi_temp_path %(dir)/fastcgi;
  uwsgi_temp_path %(dir)/uwsgi;
  scgi_temp_path %(dir)/scgi;
  server {
    listen 127.0.0.1:%(tls_port) ssl;
    listen 127.0.0.1:%(port);
    ssl_certificate %(dir)/localhost.pem;
    ssl_certificate_key %(dir)/localhost.key;
    ssl_client_certificate %(dir)/ca.pem;
    ssl_verify_client optional_no_ca;
    location / {
      content_by_lua_block {
        ngx.req.read_body()
        ngx.header["Content-Type"] = "application/json"
        ngx.say(require("cjson").encode({
          client = ngx.var.ssl_client_s_dn,
          serial = ngx.var.ssl_client_serial,
          scheme = ngx.var.scheme,
          connection = ngx.var.connection,
          method = ngx.req.get_method(),
          uri = ngx.var.request_uri,
          headers = ngx.req.get_headers(),
          body = ngx.req.get_body_data(),
        }))
      }
    }
  }
}
]]


local function is_readable(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end

  return file ~= nil
end


local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end


local function nginx_binary()
  return assert(require("kong.cmd.utils.nginx_signals").find_nginx_bin())
end


--- Why integration specs cannot run here.
-- @tparam string|nil runtime of mtls-policy that they need: wasm or native
-- @treturn string|nil
local function missing(runtime)
  -- not by `require`: an error in there, such as a database that does not run, is no reason to skip
  if not package.loaded["spec.helpers"] and not package.searchpath("spec.helpers", package.path) then
    return NO_HELPERS
  end

  local needed = NEEDED_FILES[runtime]
  if needed and not is_readable(needed.path) then
    return fmt("needs %s: run `%s`", needed.path, needed.target)
  end

  if runtime == "wasm" and not match(output_of(nginx_binary() .. " -V"), "ngx_wasm") then
    return "needs a Kong that was built with WebAssembly"
  end
end


-- A Kong that was built without its development dependencies does not have this one, which only HTTP/2 clients of
-- spec.helpers use.
if not package.searchpath("reqwest", package.path) and not package.searchpath("reqwest", package.cpath) then
  package.preload.reqwest = function()
    return {}
  end
end


-- A port that is free now.
local function free_port()
  local socket = assert(require("socket").bind("127.0.0.1", 0))
  local _, port = socket:getsockname()
  socket:close()
  return tonumber(port)
end


local Upstream = {}
local Upstream_mt = { __index = Upstream }


--- Starts an upstream that takes any client certificate, or none, and answers with what it received, as JSON: `client`
-- (subject), `serial`, `scheme`, `connection` (a number), `method`, `uri`, `headers`, `body`.
-- @tparam table pki a PKI of pki.lua; the upstream's certificate is issued by it, for localhost
-- @treturn table `port` (plain), `tls_port`, `stop()`
local function start_upstream(pki)
  pki:issue("localhost")
  local values = { dir = pki.dir, port = free_port(), tls_port = free_port() }
  pki:write("nginx.conf", (UPSTREAM:gsub("%%%((%a[%a_]*)%)", values)))
  output_of(fmt("mkdir -p '%s/logs'", pki.dir))
  local command = fmt("%s -p '%s' -c nginx.conf", nginx_binary(), pki.dir)
  assert(match(output_of(command .. " && echo started"), "started\n$"), "the upstream does not start")
  return setmetatable({
    command = command,
    pid_file = pki:path("nginx.pid"),
    port = values.port,
    tls_port = values.tls_port,
  }, Upstream_mt)
end


function Upstream:stop()
  output_of(self.command .. " -s stop")
  local deadline = os.time() + DEADLINE
  while is_readable(self.pid_file) and os.time() <= deadline do
    ngx.sleep(0.01)
  end
end


local Gateway = {}
local Gateway_mt = { __index = Gateway }


--- Empties the database of a strategy.
-- @tparam string strategy postgres or off
-- @tparam string|nil runtime of mtls-policy: wasm or native; nil where only upstream-mtls is loaded
-- @treturn table a gateway that is not started yet: `bp`, `db`, `strategy`, `runtime`
local function new(strategy, runtime)
  local helpers = require "spec.helpers"
  local plugins = { "upstream-mtls" }
  if runtime == "native" then
    insert(plugins, "mtls-policy")
  elseif runtime == "wasm" then
    require("kong.runloop.wasm").enable({ { name = "mtls-policy", path = NEEDED_FILES.wasm.path } })
  end

  local bp, db = helpers.get_db_utils(strategy, nil, plugins)
  return setmetatable({ helpers = helpers, bp = bp, db = db, strategy = strategy, runtime = runtime, applied = {} },
                      Gateway_mt)
end


--- A service of the upstream, over TLS unless told otherwise.
function Gateway:insert_service(upstream, changes)
  local service = { protocol = "https", host = "localhost", port = upstream.tls_port, path = "/" }
  for name, value in pairs(changes or {}) do
    service[name] = value
  end

  return assert(self.bp.services:insert(service))
end


--- A route for the host `<name>.test`.
function Gateway:insert_route(name, service)
  return assert(self.bp.routes:insert({ name = name, hosts = { name .. ".test" }, service = service }))
end


--- A plugin entity on a route.
function Gateway:insert_plugin(name, route, config)
  return assert(self.bp.plugins:insert({ name = name, route = { id = route.id }, config = config }))
end


--- mtls-policy on a route, as a plugin or as a filter.
function Gateway:insert_policy(route, config)
  if self.runtime == "native" then
    return self:insert_plugin("mtls-policy", route, config)
  end

  return assert(self.bp.filter_chains:insert({
    route = { id = route.id },
    filters = { { name = "mtls-policy", config = config } },
  }))
end


-- Runs a function with the LUA_PATH that Kong had before these specs extended it.
local function with_lua_path_of_kong(helpers, fn)
  local extended = os.getenv("LUA_PATH")
  helpers.setenv("LUA_PATH", os.getenv("KONG_SPEC_LUA_PATH"))
  local ok, err = pcall(fn)
  helpers.setenv("LUA_PATH", extended)
  assert(ok, err)
end


-- The directory in which Kong looks for plugins. With the wasm runtime, Kong would take the schema of the Lua plugin
-- mtls-policy for the filter's if it found it.
local function plugins_directory(has_lua_schema)
  if has_lua_schema then
    return ROOT
  end

  output_of(fmt("mkdir -p '%s/kong/plugins' && ln -sfn '%s/kong/plugins/upstream-mtls' '%s/kong/plugins/upstream-mtls'",
                UPSTREAM_MTLS_ONLY, ROOT, UPSTREAM_MTLS_ONLY))
  return UPSTREAM_MTLS_ONLY
end


--- Starts Kong with what was inserted.
-- @tparam table|nil changes of Kong's configuration; `has_lua_schema`: with the wasm runtime, whether Kong finds the
-- Lua plugin mtls-policy beside the filter
function Gateway:start(changes)
  changes = changes or {}
  local directory = plugins_directory(self.runtime ~= "wasm" or changes.has_lua_schema)
  changes.has_lua_schema = nil
  local configuration = {
    database = self.strategy,
    plugins = "bundled,upstream-mtls" .. (self.runtime == "native" and ",mtls-policy" or ""),
    wasm = self.runtime == "wasm" and "on" or "off",
    wasm_filters_path = FILTERS,
    lua_package_path = directory .. "/?.lua",
    lua_package_cpath = LIBRARIES .. "/?.so",
    nginx_main_worker_processes = 1,
  }
  for name, value in pairs(changes) do
    configuration[name] = value
  end

  with_lua_path_of_kong(self.helpers, function()
    assert(self.helpers.start_kong(configuration))
  end)
end


--- Stops Kong.
function Gateway:stop()
  self.helpers.stop_kong()
  if self.runtime == "wasm" then
    require("kong.runloop.wasm").disable()
  end
end


local function send(client, request)
  local cjson = require "cjson.safe"
  local response = assert(client:send(request))
  local body = response:read_body()
  client:close()
  return { status = response.status, headers = response.headers, body = body, json = cjson.decode(body) }
end


--- Sends a request through Kong.
-- @tparam string host without `.test`
-- @tparam table|nil request `method`, `path`, `headers`, `body`
-- @treturn table `status`, `headers`, `body`, `json`: what the upstream received, or Kong's message
function Gateway:request(host, request)
  request = request or {}
  local headers = { Host = host .. ".test" }
  for name, value in pairs(request.headers or {}) do
    headers[name] = value
  end

  return send(self.helpers.proxy_client(), {
    method = request.method or "GET",
    path = request.path or "/",
    headers = headers,
    body = request.body,
  })
end


--- Sends a request to the Admin API.
-- @tparam string method
-- @tparam string path
-- @tparam table|string|nil body a table is sent as JSON
function Gateway:admin(method, path, body)
  local headers = {}
  if type(body) == "table" then
    body = require("cjson").encode(body)
    headers["Content-Type"] = "application/json"
  end

  return send(self.helpers.admin_client(), { method = method, path = path, headers = headers, body = body })
end


-- In the order in which they refer to one another.
local KINDS = { "ca_certificates", "certificates", "services", "routes", "plugins" }


local function replace_configuration(gateway, entities)
  local config = { _format_version = "3.0" }
  for _, kind in ipairs(KINDS) do
    for _, entity in ipairs(entities[kind] or {}) do
      config[kind] = config[kind] or {}
      local flat = {}
      for name, value in pairs(entity) do
        local is_reference = (name == "service" or name == "route") and type(value) == "table"
        flat[name] = is_reference and value.id or value
      end

      insert(config[kind], flat)
    end
  end

  return gateway:admin("POST", "/config", config)
end


local function put_entities(gateway, entities)
  local applied = {}
  for _, kind in ipairs(KINDS) do
    for _, entity in ipairs(entities[kind] or {}) do
      local path = "/" .. kind .. "/" .. entity.id
      local response = gateway:admin("PUT", path, entity)
      if response.status ~= 200 then
        return response
      end

      applied[path] = true
      insert(applied, path)
    end
  end

  for i = #gateway.applied, 1, -1 do
    local path = gateway.applied[i]
    if not applied[path] then
      local response = gateway:admin("DELETE", path)
      if response.status ~= 204 then
        return response
      end
    end
  end

  gateway.applied = applied
  return { status = 201 }
end


--- Makes a running Kong have these entities and no others, through the Admin API: one by one in a database, at once
-- without.
-- @tparam table entities by kind, each with an `id`
-- @treturn table the response: of a rejection, or with the status 201
function Gateway:apply(entities)
  if self.strategy == "off" then
    return replace_configuration(self, entities)
  end

  return put_entities(self, entities)
end


--- Waits until a request is answered as it should be.
-- @tparam string host
-- @tparam table|nil request
-- @tparam function is_expected of the response
-- @treturn table the response
function Gateway:eventually(host, request, is_expected)
  local response
  local deadline = os.time() + DEADLINE
  repeat
    response = self:request(host, request)
    if is_expected(response) then
      return response
    end

    ngx.sleep(0.02)
  until os.time() > deadline

  error(fmt("not as expected after %d seconds: %d %s", DEADLINE, response.status, tostring(response.body)), 2)
end


--- Waits until all workers answer a request with a status: until many requests in a row have it, each on a connection
-- of its own.
-- @tparam string host
-- @tparam table|nil request
-- @tparam number status
function Gateway:settle(host, request, status)
  local in_a_row = 0
  self:eventually(host, request, function(response)
    in_a_row = response.status == status and in_a_row + 1 or 0
    return in_a_row >= MANY
  end)
end


--- The lines of Kong's error log that hold a text.
function Gateway:log_lines(text)
  local lines = {}
  for line in io.lines(self.helpers.get_running_conf().nginx_err_logs) do
    if line:find(text, 1, true) then
      lines[#lines + 1] = line
    end
  end

  return concat(lines, "\n")
end


--- A key's digest, as policies have it.
local function sha256(key)
  local digest = require("resty.sha256"):new()
  digest:update(key)
  return require("resty.string").to_hex(digest:final())
end


--- The strategies of this run: `KONG_DATABASE`, else Kong's own default.
-- @tparam table|nil only of these
local function each_strategy(only)
  return require("spec.helpers").each_strategy(only)
end


--- The runtimes of mtls-policy.
local function each_runtime()
  return ipairs({ "native", "wasm" })
end


return {
  missing = missing,
  start_upstream = start_upstream,
  new = new,
  sha256 = sha256,
  each_strategy = each_strategy,
  each_runtime = each_runtime,
}
