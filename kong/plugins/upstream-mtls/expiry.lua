--- Warns of what is about to expire, once for each version of it.


local kong = kong
local ngx = ngx
local pairs = pairs
local date = os.date


local function warn(entry, what, ahead)
  local value = entry.in_force
  if not value or value.not_after - ngx.time() >= ahead or entry.warned == value.digest then
    return
  end

  entry.warned = value.digest
  kong.log.warn(entry.place, ": the ", what, " expires at ", date("!%Y-%m-%dT%H:%M:%SZ", value.not_after))
end


--- Look at all that is in force.
-- @tparam table all the instances, as keys' values
local function look(all)
  for _, instance in pairs(all) do
    local ahead = instance.warn_ahead
    for _, entry in pairs(instance.certificates) do
      warn(entry, "client certificate", ahead)
    end

    if instance.anchors then
      warn(instance.anchors, "first of the trust anchors", ahead)
    end
  end
end


return { look = look }
