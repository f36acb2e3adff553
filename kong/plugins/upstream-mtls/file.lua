--- Files, read while requests wait for their worker.


local lfs = require "lfs"


local attributes = lfs.attributes
local open = io.open
local fmt = string.format


--- All of a file; or nil, and why not.
local function read(path)
  -- a pipe would hold up the whole worker until somebody writes into it
  local mode = attributes(path, "mode")
  if mode and mode ~= "file" then
    return nil, fmt("%s: not a regular file, but a %s", path, mode)
  end

  local file, err = open(path, "rb")
  if not file then
    return nil, err
  end

  local text
  text, err = file:read("*a")
  file:close()
  if not text then
    return nil, fmt("%s: %s", path, err)
  end

  return text
end


return {
  read = read,
}
