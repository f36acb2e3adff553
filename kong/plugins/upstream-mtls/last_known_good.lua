--- A source that is read repeatedly; the last version that was good stays active.
--
-- Reading happens in timers, when a config is loaded at start, and for the first request that needs a source; not for
-- other requests. A version is exchanged by one assignment. Of what was read only a digest is kept.


local identity = require "kong.plugins.upstream-mtls.identity"


local kong = kong
local setmetatable = setmetatable


local LastKnownGood = {}
local LastKnownGood_mt = { __index = LastKnownGood }


--- @tparam table source
-- `location`: where it is, for messages and metrics;
-- `read()`: a list of texts; or nil, an error, and its kind: "gone" (deleted on purpose), "pending" (no value yet) or
-- nil; `parse(texts)`: a value; or nil and an error;
-- `check(value)`: why a value that could be parsed cannot be used now, or nil;
-- `describe(value)`: for the log
-- @treturn table `location`; `active`, the last good value or nil; `last_error`, why the newest version is not active
-- or nil; `was_read`, whether it has been read at all
local function new(source)
  return setmetatable({ source = source, location = source.location }, LastKnownGood_mt)
end


function LastKnownGood:read()
  local texts, err, error_kind = self.source.read()
  if not texts then
    return nil, err, "", error_kind
  end

  local digest = identity.digest(texts)
  if self.active and digest == self.digest then
    return self.active, nil, digest
  end

  local value
  value, err = self.source.parse(texts)
  return value, err, digest
end


function LastKnownGood:reject(err, digest, error_kind)
  self.last_error = err
  if error_kind == "gone" then
    self.active = nil
  end

  local version = err .. digest
  local first = self.rejected_version ~= version
  self.rejected_version = version

  -- A pair of files can be read while it is exchanged, half old and half new: with an active version, an error counts
  -- only when it is seen again.
  local kept = self.active and self.digest ~= digest
  if error_kind == "pending" or kept and first or self.reported_version == version then
    return
  end

  self.reported_version = version
  kong.log.err(self.location, ": ", err, kept and " (the last known good version stays active)" or "")
end


--- Read the source once. An error in a version is logged once. May yield.
function LastKnownGood:refresh()
  local value, err, digest, error_kind = self:read()
  self.was_read = true
  if not value then
    return self:reject(err, digest, error_kind)
  end

  local source, old = self.source, self.active
  local problem = source.check(value)
  if problem and old and old ~= value and not source.check(old) then
    return self:reject(problem, digest)
  end

  self.active, self.digest = value, digest
  if value ~= old then
    kong.log.notice(self.location, ": loaded ", source.describe(value))
  end

  if problem then
    return self:reject(problem, digest)
  end

  if self.reported_version and value == old then
    kong.log.notice(self.location, ": the active version is the newest again")
  end

  self.last_error, self.rejected_version, self.reported_version = nil, nil, nil
end


return { new = new }
