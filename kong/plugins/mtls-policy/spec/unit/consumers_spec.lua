local ffi = require "ffi"
local stand_ins = require "kong.spec.stand_ins"


local READING, UNCHANGED, LOADED, RESTORED, FAILED = 0, 1, 2, 3, 4


describe("mtls-policy: consumers", function()
  local world, consumers, outcomes, started, waited, changed

  -- A library whose reads end as `outcomes` says, in order.
  local function library()
    local handle = ffi.typeof("struct { int unused; }")
    local count, last = 0, nil
    return {
      mtls_policy_consumers_file_open = function()
        return handle()
      end,
      mtls_policy_consumers_file_free = function() end,
      mtls_policy_consumers_free = function() end,
      mtls_policy_consumers_file_start = function()
        started = started + 1
      end,
      mtls_policy_consumers_file_wait = function(_, milliseconds)
        waited[#waited + 1] = milliseconds
      end,
      mtls_policy_consumers_file_poll = function()
        local outcome = table.remove(outcomes, 1) or { UNCHANGED }
        last = outcome
        return outcome[1]
      end,
      mtls_policy_consumers_file_take = function()
        count = count + 1
        return handle(count)
      end,
      mtls_policy_consumers_file_error = function()
        return last[2]
      end,
      mtls_policy_consumers_keys = function()
        return 2
      end,
    }
  end

  -- Runs the timers that are not periodic, until there are none.
  local function run_timers()
    for _ = 1, 100 do
      local due = {}
      for i = #world.timers, 1, -1 do
        if not world.timers[i].every then
          table.insert(due, 1, table.remove(world.timers, i))
        end
      end

      if #due == 0 then
        return
      end

      for _, timer in ipairs(due) do
        timer.fn(false)
      end
    end
  end

  -- A second passes.
  local function look()
    for _, timer in ipairs(world.timers) do
      if timer.every then
        timer.fn(false)
        break
      end
    end

    run_timers()
  end

  local function read_next(...)
    for _, outcome in ipairs({ ... }) do
      -- what is found at the begin of a look, before the next read is started
      outcomes[#outcomes + 1] = { UNCHANGED }
      outcomes[#outcomes + 1] = outcome
    end
  end

  local function loaded_in(phase, ...)
    world.phase = phase
    outcomes = { ... }
    return consumers.file("/etc/consumers.yaml")
  end

  before_each(function()
    world = stand_ins.reset()
    ngx.update_time = function() end -- luacheck: ignore
    outcomes, started, waited, changed = {}, 0, {}, {}
    stand_ins.replace("kong.plugins.mtls-policy.native", {
      C = library(),
      text = function(text)
        return text
      end,
    })
    consumers = require "kong.plugins.mtls-policy.consumers"
    consumers.watch(function(file)
      changed[#changed + 1] = file
    end)
  end)

  it("waits for the first read where a worker does not serve yet", function()
    local file = loaded_in("init_worker", { LOADED })
    assert.same({ 5000 }, waited)
    assert.is_not_nil(file.active)
    assert.is_false(file.loading)
    assert.same({}, changed)
  end)

  it("waits five seconds for all files together", function()
    loaded_in("init_worker", { LOADED })
    world.time = world.time + 4
    consumers.file("/etc/others.yaml")
    world.time = world.time + 4
    consumers.file("/etc/more.yaml")
    assert.same({ 5000, 1000, 0 }, waited)
  end)

  it("goes on in a timer where a file takes longer", function()
    local file = loaded_in("init_worker", { READING }, { READING }, { LOADED })
    assert.is_nil(file.active)
    assert.is_true(file.loading)
    run_timers()
    assert.is_not_nil(file.active)
    assert.same({ file }, changed)
  end)

  it("does not wait where requests are served", function()
    local file = loaded_in("timer", { READING }, { LOADED })
    assert.same({}, waited)
    assert.is_true(file.loading)
    run_timers()
    assert.is_false(file.loading)
    assert.same({ file }, changed)
  end)

  it("shares a file by its path", function()
    local file = loaded_in("timer", { LOADED })
    assert.equal(file, consumers.file("/etc/consumers.yaml"))
    assert.equal(1, started)
  end)

  it("reports the first read that fails", function()
    local file = loaded_in("timer", { FAILED, "no such file" })
    run_timers()
    assert.is_nil(file.active)
    assert.is_false(file.loading)
    assert.equal("no such file", file.last_error)
    assert.same({ file }, changed)
  end)

  it("keeps the last valid content and reports each error once", function()
    local file = loaded_in("init_worker", { LOADED })
    local active = file.active
    for _ = 1, 2 do
      read_next({ FAILED, "one" })
      look()
    end

    read_next({ FAILED, "two" })
    look()
    assert.equal(active, file.active)
    assert.equal("two", file.last_error)
    assert.same({}, changed)
    assert.same({
      "consumers_file /etc/consumers.yaml: one (the last valid content stays active)",
      "consumers_file /etc/consumers.yaml: two (the last valid content stays active)",
    }, stand_ins.texts(world, "err"))
  end)

  it("loads what replaces invalid content", function()
    local file = loaded_in("init_worker", { LOADED })
    local active = file.active
    read_next({ FAILED, "one" })
    look()
    read_next({ LOADED })
    look()
    assert.are_not.equal(active, file.active)
    assert.is_nil(file.last_error)
    assert.same({ file }, changed)
  end)

  it("forgets an error when the last valid content is back", function()
    local file = loaded_in("init_worker", { LOADED })
    local active = file.active
    read_next({ FAILED, "one" })
    look()
    read_next({ RESTORED })
    look()
    assert.equal(active, file.active)
    assert.is_nil(file.last_error)
    assert.same({}, changed)
  end)

  it("warns of a file that is read for more than a minute", function()
    local file = loaded_in("timer", { READING })
    outcomes = { { READING }, { READING }, { READING }, { LOADED } }
    world.time = world.time + 61
    run_timers()
    assert.is_not_nil(file.active)
    assert.same({ "consumers_file /etc/consumers.yaml: has been read for more than 60 seconds" },
                stand_ins.texts(world, "warn"))
  end)

  it("logs an error of the function that it calls", function()
    consumers.watch(function()
      error("on purpose", 0)
    end)
    loaded_in("timer", { LOADED })
    run_timers()
    assert.matches("on purpose", stand_ins.texts(world, "err")[1], 1, true)
  end)

  it("starts a read every second", function()
    loaded_in("init_worker", { LOADED })
    local before = started
    look()
    look()
    assert.equal(before + 2, started)
  end)
end)
