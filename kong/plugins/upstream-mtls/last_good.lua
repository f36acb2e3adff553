--- Something that is read again and again, of which the last version that was good stays in force.
--
-- Looking happens in timers and when a config is taken over, not for requests. A version is exchanged by one
-- assignment. Of what was read only a digest is remembered.


local identity = require "kong.plugins.upstream-mtls.identity"


local kong = kong
local setmetatable = setmetatable


local LastGood = {}
local LastGood_mt = { __index = LastGood }


--- @tparam table source
-- `place`: where it is, for messages and metrics;
-- `read()`: a list of texts; or nil, why, and one of "gone" (taken away on purpose) and "awaited" (no news) or nil;
-- `parse(texts)`: a value; or nil and why;
-- `complaint(value)`: why a value that could be parsed is of no use at present, or nil;
-- `describe(value)`: for the log
-- @treturn table `place`; `in_force`, the last good value or nil; `trouble`, why the newest one is not in force or nil
local function new(source)
  return setmetatable({ source = source, place = source.place }, LastGood_mt)
end


function LastGood:read()
  local texts, err, fate = self.source.read()
  if not texts then
    return nil, err, "", fate
  end

  local digest = identity.digest(texts)
  if self.in_force and digest == self.digest then
    return self.in_force, nil, digest
  end

  local value
  value, err = self.source.parse(texts)
  return value, err, digest
end


function LastGood:refuse(err, digest, fate)
  self.trouble = err
  if fate == "gone" then
    self.in_force = nil
  end

  local sighting = err .. digest
  local first = self.sighting ~= sighting
  self.sighting = sighting

  -- A pair of files can be met while it is exchanged, half old and half new: with something in force it counts only
  -- when it is seen again.
  local kept = self.in_force and self.digest ~= digest
  if fate == "awaited" or kept and first or self.reported == sighting then
    return
  end

  self.reported = sighting
  kong.log.err(self.place, ": ", err, kept and " (the last good one stays in force)" or "")
end


--- Look once whether there is a new version. What is wrong with one is logged once.
function LastGood:look()
  local value, err, digest, fate = self:read()
  if not value then
    return self:refuse(err, digest, fate)
  end

  local source, old = self.source, self.in_force
  local complaint = source.complaint(value)
  if complaint and old and old ~= value and not source.complaint(old) then
    return self:refuse(complaint, digest)
  end

  self.in_force, self.digest = value, digest
  if value ~= old then
    kong.log.notice(self.place, ": took over ", source.describe(value))
  end

  if complaint then
    return self:refuse(complaint, digest)
  end

  if self.reported and value == old then
    kong.log.notice(self.place, ": what is in force is the newest again")
  end

  self.trouble, self.sighting, self.reported = nil, nil, nil
end


return { new = new }
