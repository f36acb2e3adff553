--- Consumers files: read again and again, the last good version of each in force in all policies that name it.


local document = require "kong.plugins.mtls-policy.document"
local lyaml = require "lyaml"
local native = require "kong.plugins.mtls-policy.native"
local resty_sha256 = require "resty.sha256"


local kong = kong
local ngx = ngx
local pairs = pairs
local pcall = pcall
local setmetatable = setmetatable
local tonumber = tonumber
local tostring = tostring
local type = type
local match = string.match
local read = require("kong.plugins.upstream-mtls.file").read


-- Seconds between two looks at the files.
local INTERVAL = 1


-- By path. Weak: the policies that name a file keep it.
local files = setmetatable({}, { __mode = "v" })


local function without_nulls(value)
  if value == lyaml.null then
    return ngx.null
  end

  if type(value) == "table" then
    for name, element in pairs(value) do
      value[name] = without_nulls(element)
    end
  end

  return value
end


-- JSON is YAML too.
local function compile(text)
  local ok, content = pcall(lyaml.load, text)
  if not ok then
    -- with the place, and without what stands there
    return nil, "it is no YAML: " .. (match(tostring(content), "%d+:%d+: [^\n]*") or "it cannot be parsed")
  end

  return native.compile_consumers(document.consumers(without_nulls(content)))
end


local function complain(file, err)
  if file.trouble ~= err then
    file.trouble = err
    kong.log.err("consumers_file ", file.path, ": ", err, file.in_force and " (the last good one stays in force)" or "")
  end
end


-- Whether there is a new version in force.
local function look(file)
  local text, err = read(file.path)
  if not text then
    complain(file, err)
    return false
  end

  local sha256 = resty_sha256:new()
  sha256:update(text)
  local digest = sha256:final()
  if digest == file.digest then
    return false
  end

  file.digest = digest
  local consumers
  consumers, err = compile(text)
  if not consumers then
    complain(file, err)
    return false
  end

  file.in_force, file.trouble = consumers, nil
  kong.log.notice("consumers_file ", file.path, ": took over ",
                  tonumber(native.C.mtls_policy_consumers_keys(consumers)), " keys")
  return true
end


--- A consumers file, read at least once.
-- @tparam string path
-- @treturn table `in_force`, the consumers or nil
local function file(path)
  local known = files[path]
  if not known then
    known = { path = path }
    files[path] = known
    look(known)
  end

  return known
end


--- Look at the files from now on. Once, when a worker starts.
-- @tparam function follow told which file has a new version in force
local function watch(follow)
  local ok, err = ngx.timer.every(INTERVAL, function(premature)
    if premature then
      return
    end

    for _, each in pairs(files) do
      local done, changed = pcall(look, each)
      if not done then
        kong.log.err("looking at consumers_file ", each.path, " failed: ", changed)
      elseif changed then
        follow(each)
      end
    end
  end)

  if not ok then
    kong.log.err("consumers files are no longer reloaded: ", err)
  end
end


return {
  file = file,
  watch = watch,
}
