local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: last_good", function()
  local world, content, entry

  -- A source whose text is its value. "invalid…" cannot be parsed, "expired…" can and is of no use.
  local function new_entry()
    return require("kong.plugins.upstream-mtls.last_good").new({
      place = "the source",
      read = function()
        return content.texts, content.err, content.fate
      end,
      parse = function(texts)
        if texts[1]:find("^invalid") then
          return nil, texts[1]
        end

        return { text = texts[1] }
      end,
      complaint = function(value)
        return value.text:find("^expired") and value.text or nil
      end,
      describe = function(value)
        return value.text
      end,
    })
  end

  local function look(text)
    content = { texts = { text } }
    entry:look()
  end

  local function fail(err, fate)
    content = { err = err, fate = fate }
    entry:look()
  end

  local function active()
    return entry.in_force and entry.in_force.text
  end

  local function errors()
    return stand_ins.texts(world, "err")
  end

  before_each(function()
    world = stand_ins.reset()
    entry = new_entry()
  end)

  it("has nothing active before the first look", function()
    assert.is_nil(active())
  end)

  it("takes over a good version and logs it once", function()
    look("one")
    look("one")

    assert.equal("one", active())
    assert.is_nil(entry.trouble)
    assert.same({ "the source: took over one" }, stand_ins.texts(world, "notice"))
  end)

  it("parses a version that has not changed only once", function()
    look("one")
    local before = entry.in_force
    look("one")

    assert.equal(before, entry.in_force)
  end)

  it("takes over each good version", function()
    look("one")
    look("two")

    assert.equal("two", active())
  end)

  it("keeps the last good version when a new one is invalid", function()
    look("one")
    look("invalid")
    look("invalid")

    assert.equal("one", active())
    assert.equal("invalid", entry.trouble)
    assert.same({ "the source: invalid (the last good one stays in force)" }, errors())
  end)

  it("keeps the last good version when reading fails", function()
    look("one")
    fail("permission denied")

    assert.equal("one", active())
    assert.equal("permission denied", entry.trouble)
  end)

  it("logs an invalid version at once when nothing is active, and then no more", function()
    look("invalid")
    look("invalid")
    look("invalid")

    assert.is_nil(active())
    assert.same({ "the source: invalid" }, errors())
  end)

  it("does not log a pair of files that is met while it is exchanged", function()
    look("one")
    look("invalid: half old, half new")
    look("two")

    assert.equal("two", active())
    assert.is_nil(entry.trouble)
    assert.same({}, errors())
  end)

  it("logs each invalid version that stays", function()
    look("one")
    look("invalid 1")
    look("invalid 1")
    look("invalid 2")
    look("invalid 2")
    look("invalid 2")

    assert.equal(2, #errors())
  end)

  it("logs when the trouble is over, also without a new version", function()
    look("one")
    look("invalid")
    look("invalid")
    look("one")

    assert.is_nil(entry.trouble)
    assert.same({ "the source: took over one", "the source: what is in force is the newest again" },
                stand_ins.texts(world, "notice"))
  end)

  it("does not exchange a usable version for an expired one", function()
    look("one")
    look("expired")

    assert.equal("one", active())
    assert.equal("expired", entry.trouble)
  end)

  it("takes over an expired version where there is no usable one, and says so", function()
    look("expired 1")
    look("expired 2")

    assert.equal("expired 2", active())
    assert.equal("expired 2", entry.trouble)
    assert.equal("the source: expired 2", errors()[2])
  end)

  it("replaces an expired version by a usable one", function()
    look("expired")
    look("two")

    assert.equal("two", active())
    assert.is_nil(entry.trouble)
  end)

  it("drops what was removed on purpose", function()
    look("one")
    fail("there is no such entity", "gone")

    assert.is_nil(active())
    assert.equal("there is no such entity", entry.trouble)
  end)

  it("keeps what is active, and logs nothing, while news are awaited", function()
    look("one")
    fail("its reference has no value", "awaited")
    fail("its reference has no value", "awaited")

    assert.equal("one", active())
    assert.same({}, errors())
  end)
end)
