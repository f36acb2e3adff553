local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: last_known_good", function()
  local world, content, entry

  -- A source whose text is its value. "invalid…" cannot be parsed, "expired…" can and is of no use.
  local function new_entry()
    return require("kong.plugins.upstream-mtls.last_known_good").new({
      location = "the source",
      read = function()
        return content.texts, content.err, content.error_kind
      end,
      parse = function(texts)
        if texts[1]:find("^invalid") then
          return nil, texts[1]
        end

        return { text = texts[1] }
      end,
      check = function(value)
        return value.text:find("^expired") and value.text or nil
      end,
      describe = function(value)
        return value.text
      end,
    })
  end

  local function refresh(text)
    content = { texts = { text } }
    entry:refresh()
  end

  local function fail(err, error_kind)
    content = { err = err, error_kind = error_kind }
    entry:refresh()
  end

  local function active()
    return entry.active and entry.active.text
  end

  local function errors()
    return stand_ins.texts(world, "err")
  end

  before_each(function()
    world = stand_ins.reset()
    entry = new_entry()
  end)

  it("has nothing active before the first refresh", function()
    assert.is_nil(active())
  end)

  it("loads a good version and logs it once", function()
    refresh("one")
    refresh("one")

    assert.equal("one", active())
    assert.is_nil(entry.last_error)
    assert.same({ "the source: loaded one" }, stand_ins.texts(world, "notice"))
  end)

  it("parses a version that has not changed only once", function()
    refresh("one")
    local before = entry.active
    refresh("one")

    assert.equal(before, entry.active)
  end)

  it("loads each good version", function()
    refresh("one")
    refresh("two")

    assert.equal("two", active())
  end)

  it("keeps the last good version when a new one is invalid", function()
    refresh("one")
    refresh("invalid")
    refresh("invalid")

    assert.equal("one", active())
    assert.equal("invalid", entry.last_error)
    assert.same({ "the source: invalid (the last known good version stays active)" }, errors())
  end)

  it("keeps the last good version when reading fails", function()
    refresh("one")
    fail("permission denied")

    assert.equal("one", active())
    assert.equal("permission denied", entry.last_error)
  end)

  it("logs an invalid version at once when nothing is active, and then no more", function()
    refresh("invalid")
    refresh("invalid")
    refresh("invalid")

    assert.is_nil(active())
    assert.same({ "the source: invalid" }, errors())
  end)

  it("does not log a pair of files that is met while it is exchanged", function()
    refresh("one")
    refresh("invalid: half old, half new")
    refresh("two")

    assert.equal("two", active())
    assert.is_nil(entry.last_error)
    assert.same({}, errors())
  end)

  it("logs each invalid version that stays", function()
    refresh("one")
    refresh("invalid 1")
    refresh("invalid 1")
    refresh("invalid 2")
    refresh("invalid 2")
    refresh("invalid 2")

    assert.equal(2, #errors())
  end)

  it("logs when the error is over, also without a new version", function()
    refresh("one")
    refresh("invalid")
    refresh("invalid")
    refresh("one")

    assert.is_nil(entry.last_error)
    assert.same({ "the source: loaded one", "the source: the active version is the newest again" },
                stand_ins.texts(world, "notice"))
  end)

  it("does not exchange a usable version for an expired one", function()
    refresh("one")
    refresh("expired")

    assert.equal("one", active())
    assert.equal("expired", entry.last_error)
  end)

  it("loads an expired version where there is no usable one, and says so", function()
    refresh("expired 1")
    refresh("expired 2")

    assert.equal("expired 2", active())
    assert.equal("expired 2", entry.last_error)
    assert.equal("the source: expired 2", errors()[2])
  end)

  it("replaces an expired version by a usable one", function()
    refresh("expired")
    refresh("two")

    assert.equal("two", active())
    assert.is_nil(entry.last_error)
  end)

  it("drops what was removed on purpose", function()
    refresh("one")
    fail("there is no such entity", "gone")

    assert.is_nil(active())
    assert.equal("there is no such entity", entry.last_error)
  end)

  it("keeps what is active, and logs nothing, while there is no value yet", function()
    refresh("one")
    fail("its reference has no value", "pending")
    fail("its reference has no value", "pending")

    assert.equal("one", active())
    assert.same({}, errors())
  end)
end)
