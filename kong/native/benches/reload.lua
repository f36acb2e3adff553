--- The longest pause of another route while Kong loads a large consumers file.
--
--   make bench-reload KONG_BIN=/usr/local/bin/kong
--   resty kong/native/benches/reload.lua KONG_BIN LIBRARY_DIRECTORY [CONSUMERS] [ROUNDS]
--
-- A Kong with one worker has two routes: one with a policy whose consumers are in a file, and one without. A client
-- asks the second route without a break. For each format the file is replaced by one with other keys; the client
-- measures until a key of the new file is accepted, and for two seconds after that, in which the old consumers are
-- freed. Some seconds without a change are measured too: what the machine itself adds. The worker's thread of requests
-- and the client run at real-time priority where that is allowed (root), so that other processes of the machine do not
-- count; the thread that reads the file does not.


local resty_sha256 = require "resty.sha256"
local to_hex = require("resty.string").to_hex


local KONG, LIBRARY, CONSUMERS, ROUNDS = arg[1], arg[2], tonumber(arg[3] or 100000), tonumber(arg[4] or 3)
local KEY = "key-%s-%d"


assert(KONG and LIBRARY, "usage: resty reload.lua KONG_BIN LIBRARY_DIRECTORY [CONSUMERS] [ROUNDS]")


local function capture(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("*a")
  pipe:close()
  return (output:gsub("%s+$", ""))
end


local ROOT = capture("readlink -f '" .. arg[0]:match("^(.*)/") .. "/../../..'")
LIBRARY = capture("readlink -f '" .. LIBRARY .. "'")
local DIRECTORY = capture("mktemp -d")
local FILE = DIRECTORY .. "/consumers"


local function write(path, content)
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  file:close()
end


local function sha256(text)
  local digest = resty_sha256:new()
  digest:update(text)
  return to_hex(digest:final())
end


local FORMATS = {
  YAML = {
    start = "consumers:\n",
    consumer = "- username: consumer-%d\n  groups: [group-%d]\n  keys:\n  - id: 2026-q4\n    sha256: %s\n",
    separator = "",
    stop = "",
  },
  JSON = {
    start = '{"consumers":[',
    consumer = '{"username":"consumer-%d","groups":["group-%d"],"keys":[{"id":"2026-q4","sha256":"%s"}]}',
    separator = ",\n",
    stop = "]}",
  },
}


-- Returns the file's size. A file of its own for each version, written before anything is measured: the client's
-- garbage collector would be measured too.
local function prepare(format, version, count)
  local file = assert(io.open(FILE .. "." .. version, "wb"))
  assert(file:write(format.start))
  for i = 1, count do
    assert(file:write(format.consumer:format(i, i % 10, sha256(KEY:format(version, i))),
                      i < count and format.separator or format.stop))
  end

  local size = file:seek()
  file:close()
  return size
end


-- In one step, as an administrator should.
local function replace(version)
  assert(os.rename(FILE .. "." .. version, FILE))
end


local function free_port()
  for _ = 1, 100 do
    local port = math.random(20000, 30000)
    local socket = ngx.socket.tcp()
    if not socket:connect("127.0.0.1", port) then
      return port
    end

    socket:close()
  end

  error("no free port")
end


local function start(port)
  write(DIRECTORY .. "/kong.yml", ([[
_format_version: "3.0"
services:
- name: nowhere
  url: http://127.0.0.1:1
  routes:
  - name: guarded
    paths: [/guarded]
    plugins:
    - name: mtls-policy
      config:
        key_names: [X-API-Key]
        consumers_file: %s
        rules: [{match: {consumers: [consumer-1], methods: [DELETE]}, deny: {}}]
    - {name: request-termination, config: {status_code: 204}}
  - name: other
    paths: [/other]
    plugins: [{name: request-termination, config: {status_code: 204}}]
]]):format(FILE))
  write(DIRECTORY .. "/kong.conf", ([[
prefix = %s/prefix
database = off
declarative_config = %s/kong.yml
proxy_listen = 127.0.0.1:%d
admin_listen = off
admin_gui_listen = off
status_listen = off
plugins = upstream-mtls,mtls-policy,request-termination
nginx_worker_processes = 1
nginx_user = root root
nginx_proxy_keepalive_requests = 1000000000
log_level = notice
proxy_access_log = off
anonymous_reports = off
lua_package_path = %s/?.lua;;
lua_package_cpath = %s/?.so;;
]]):format(DIRECTORY, DIRECTORY, port, ROOT, LIBRARY))
  local said = capture(("cd %s && %s start -c kong.conf 2>&1"):format(DIRECTORY, KONG))
  assert(said:find("started", 1, true), said)
end


local function stop()
  capture(("cd %s && %s stop -p prefix 2>&1"):format(DIRECTORY, KONG))
end


local function client(port)
  local socket = ngx.socket.tcp()
  socket:settimeout(30000)
  assert(socket:connect("127.0.0.1", port))
  return function(path, key)
    local header = key and "X-API-Key: " .. key .. "\r\n" or ""
    assert(socket:send("GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\n" .. header .. "\r\n"))
    local status = assert(socket:receive("*l")):match(" (%d+)")
    local length = 0
    for line in function() return assert(socket:receive("*l")) end do
      if line == "" then
        break
      end

      length = tonumber(line:lower():match("^content%-length: (%d+)")) or length
    end

    if length > 0 then
      assert(socket:receive(length))
    end

    return tonumber(status)
  end
end


local function now()
  ngx.update_time()
  return ngx.now()
end


-- Asks the other route until `done`, and returns the longest time that an answer took, in milliseconds.
local function watch(ask, done)
  local longest, requests = 0, 0
  repeat
    local began = now()
    assert(ask("/other") == 204)
    longest = math.max(longest, (now() - began) * 1000)
    requests = requests + 1
  until done()

  return longest, requests
end


local function for_seconds(seconds)
  local finish = now() + seconds
  return function()
    return now() >= finish
  end
end


-- Threads that it starts from now on have the usual priority.
local function prioritize(process)
  local said = capture("chrt --reset-on-fork --fifo --pid 10 " .. process .. " 2>&1")
  if said ~= "" then
    print("without real-time priority, so that other processes count: " .. said)
  end
end


local function resident(of)
  for line in io.lines("/proc/" .. of .. "/status") do
    local kilobytes = line:match("^VmRSS:%s+(%d+)")
    if kilobytes then
      return tonumber(kilobytes) / 1024
    end
  end
end


local function measure()
  math.randomseed(ngx.now() * 1000)
  local port = free_port()
  prepare(FORMATS.YAML, "start", 1)
  replace("start")
  start(port)
  local ask, probe = client(port), client(port)
  watch(ask, for_seconds(1))
  local master = io.open(DIRECTORY .. "/prefix/pids/nginx.pid"):read("*n")
  local worker = capture("pgrep -P " .. master .. " | head -n 1")

  prioritize(worker)
  prioritize(ngx.worker.pid())

  print(("one consumer: worker %.0f MB"):format(resident(worker)))
  local version = 0
  for _, name in ipairs { "YAML", "JSON" } do
    for _ = 1, ROUNDS do
      version = version + 1
      local key = KEY:format(version, CONSUMERS)
      local size = prepare(FORMATS[name], version, CONSUMERS)
      collectgarbage()
      collectgarbage()
      local idle = watch(ask, for_seconds(3))

      replace(version)
      local began, next_probe, loaded = now(), 0, nil
      local longest, requests = watch(ask, function()
        if not loaded and now() >= next_probe then
          loaded = probe("/guarded", key) == 204 and now() or nil
          next_probe = now() + 0.1
        end

        assert(now() - began < 120, "the file was not loaded")
        return loaded and now() - loaded > 2
      end)
      print(("%s, %d consumers, %.1f MB: longest answer of the other route %.0f ms of %d (%.0f ms without a " ..
             "change); active after %.1f s; worker %.0f MB"):format(name, CONSUMERS, size / 1e6, longest, requests,
             idle, loaded - began, resident(worker)))
    end
  end
end


local ok, err = xpcall(measure, debug.traceback)
stop()
if not ok then
  print(capture("tail -n 30 " .. DIRECTORY .. "/prefix/logs/error.log 2>/dev/null"))
end

capture("rm -rf " .. DIRECTORY)
assert(ok, err)
