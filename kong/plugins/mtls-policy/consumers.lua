--- Consumers files: read again when they change; the last valid content of each is shared by all policies that name it.
--
-- The native library reads a file in a thread of its own. Here a read is started, and polled for its outcome, so that
-- no request waits for it however large the file is.


local ffi = require "ffi"
local native = require "kong.plugins.mtls-policy.native"


local kong = kong
local ngx = ngx
local pairs = pairs
local pcall = pcall
local setmetatable = setmetatable
local tonumber = tonumber
local gc = ffi.gc
local max = math.max
local C = native.C
local text = native.text


-- Seconds between two looks at the files, and between two polls while one is being read.
local INTERVAL = 1
local POLL_INTERVAL = 0.02


-- Seconds after which reading a file is reported to take long: on a network file system it may never end.
local SLOW = 60


-- Seconds that a worker which does not serve requests yet may wait for all of its files together.
local PATIENCE = 5


-- What mtls_policy_consumers_file_poll returns.
local READING = 0
local LOADED = 2
local RESTORED = 3
local FAILED = 4


-- By path. Weak: the policies that name a file keep it.
local files = setmetatable({}, { __mode = "v" })


local on_change
local deadline


local function log_error(file, err)
  if file.last_error ~= err then
    file.last_error = err
    kong.log.err("consumers_file ", file.path, ": ", err,
                 file.active and " (the last valid content stays active)" or "")
  end
end


-- Takes what reading has led to. Returns whether it is still going on, and whether policies have to know of it.
local function take_outcome(file)
  local outcome = C.mtls_policy_consumers_file_poll(file.handle)
  if outcome == READING then
    if file.started and ngx.now() - file.started > SLOW then
      file.started = nil
      kong.log.warn("consumers_file ", file.path, ": has been read for more than ", SLOW, " seconds")
    end

    return true, false
  end

  file.started = nil
  local is_first = file.loading
  file.loading = false
  if outcome == LOADED then
    file.active = gc(C.mtls_policy_consumers_file_take(file.handle), C.mtls_policy_consumers_free)
    file.last_error = nil
    kong.log.notice("consumers_file ", file.path, ": loaded ",
                    tonumber(C.mtls_policy_consumers_keys(file.active)), " keys")
    return false, true
  end

  if outcome == FAILED then
    log_error(file, text(C.mtls_policy_consumers_file_error(file.handle)))
    return false, is_first
  end

  if outcome == RESTORED and file.last_error then
    file.last_error = nil
    kong.log.notice("consumers_file ", file.path, ": has its last valid content again")
  end

  return false, false
end


local function notify(file)
  local ok, err = pcall(on_change, file)
  if not ok then
    kong.log.err("consumers_file ", file.path, ": the policies that name it were not updated: ", err)
  end
end


local poll


local function poll_later(file)
  if file.polled then
    return
  end

  local ok, err = ngx.timer.at(POLL_INTERVAL, function(premature)
    poll(premature, file)
  end)
  file.polled = ok
  if not ok then
    -- the next look polls
    kong.log.warn("consumers_file ", file.path, ": no timer to poll with: ", err)
  end
end


local function poll_now(file)
  local is_reading, has_changed = take_outcome(file)
  if is_reading then
    poll_later(file)
  elseif has_changed and on_change then
    notify(file)
  end
end


function poll(premature, file)
  file.polled = false
  if not premature then
    poll_now(file)
  end
end


local function look(file)
  -- what a timer did not poll
  if not file.polled then
    poll_now(file)
  end

  file.started = file.started or ngx.now()
  C.mtls_policy_consumers_file_start(file.handle)
  poll_later(file)
end


-- A worker serves no request in init_worker, so that it may wait here, and those that come right after are served.
local function wait(file)
  ngx.update_time()
  deadline = deadline or ngx.now() + PATIENCE
  local milliseconds = max(0, deadline - ngx.now()) * 1000
  C.mtls_policy_consumers_file_wait(file.handle, milliseconds)
  ngx.update_time()
  if take_outcome(file) then
    kong.log.warn("consumers_file ", file.path, ": is still being read; its policies reject all requests until then")
    poll_later(file)
  end
end


--- Returns a consumers file. The first call for a path starts to read it, and waits for that in init_worker only.
-- @tparam string path
-- @treturn table the same one for each path, with
-- `path`;
-- `active`, the consumers (cdata for mtls_policy_compile) of the last valid content, or nil;
-- `last_error`, why the newest content is not valid, or nil;
-- `loading`, whether the first read is not done yet
local function file(path)
  local known = files[path]
  if known then
    return known
  end

  known = {
    path = path,
    handle = gc(C.mtls_policy_consumers_file_open(path, #path), C.mtls_policy_consumers_file_free),
    active = nil,
    last_error = nil,
    loading = true,
    polled = false,
    started = ngx.now(),
  }
  files[path] = known
  C.mtls_policy_consumers_file_start(known.handle)
  if ngx.get_phase() == "init_worker" then
    wait(known)
  else
    poll_later(known)
  end

  return known
end


--- Forgets the files that no policy names any more, with their last valid content.
-- @tparam table used the paths that are named, as keys
local function retain(used)
  for path in pairs(files) do
    if not used[path] then
      files[path] = nil
    end
  end
end


--- Looks at the files from now on. Called once, in init_worker.
-- @tparam function callback called with a file whose `active` has changed, or whose first read has failed. Not for what
-- `file` has waited for.
local function watch(callback)
  on_change = callback
  local ok, err = ngx.timer.every(INTERVAL, function(premature)
    if premature then
      return
    end

    for _, each in pairs(files) do
      local looked, why = pcall(look, each)
      if not looked then
        kong.log.err("consumers_file ", each.path, ": cannot look at it: ", why)
      end
    end
  end)

  if not ok then
    kong.log.err("consumers files are not reloaded: ", err)
  end
end


return {
  file = file,
  retain = retain,
  watch = watch,
}
