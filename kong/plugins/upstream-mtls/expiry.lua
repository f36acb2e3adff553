--- Warns of what is about to expire, once for each version of it.


local kong = kong
local ngx = ngx
local pairs = pairs
local date = os.date


local function warn_of(entry, what, ahead)
  local value = entry.active
  if not value or value.not_after - ngx.time() >= ahead or entry.warned == value.digest then
    return
  end

  entry.warned = value.digest
  kong.log.warn(entry.location, ": the ", what, " expires at ", date("!%Y-%m-%dT%H:%M:%SZ", value.not_after))
end


--- Log what expires soon.
-- @tparam table all the instances, as values
local function warn(all)
  for _, instance in pairs(all) do
    local ahead = instance.warn_ahead
    for _, entry in pairs(instance.certificates) do
      warn_of(entry, "client certificate", ahead)
    end

    if instance.anchors then
      warn_of(instance.anchors, "first of the trust anchors", ahead)
    end
  end
end


return { warn = warn }
