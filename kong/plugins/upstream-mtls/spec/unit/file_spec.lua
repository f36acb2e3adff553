local new_pki = require("kong.spec.pki").new
local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: file", function()
  local dir, file

  lazy_setup(function()
    stand_ins.reset()
    file = require "kong.plugins.upstream-mtls.file"
    dir = new_pki()
  end)

  lazy_teardown(function()
    dir:remove()
  end)

  it("reads all bytes of a file", function()
    dir:write("bytes", "a\0b\r\nc")
    assert.equal("a\0b\r\nc", file.read(dir:path("bytes")))
  end)

  it("reads an empty file", function()
    dir:write("empty", "")
    assert.equal("", file.read(dir:path("empty")))
  end)

  it("names a missing file in the error", function()
    local text, err = file.read(dir:path("missing"))
    assert.is_nil(text)
    assert.matches("missing: No such file", err)
  end)

  it("rejects a directory", function()
    local text, err = file.read(dir.dir)
    assert.is_nil(text)
    assert.matches("directory", err)
  end)

  it("rejects a named pipe without waiting for a writer", function()
    -- a writer, so that this test fails and does not hang
    dir:run("mkfifo pipe && (timeout 5 sh -c 'sleep 1; echo written >pipe' >/dev/null 2>&1 &)")
    local text, err = file.read(dir:path("pipe"))
    assert.is_nil(text)
    assert.matches("named pipe", err)
  end)
end)
