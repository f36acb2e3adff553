--- What a decision costs across LuaJIT's FFI: a key in a header among many, hidden, with a rule on the way.
--
--   make bench-native; with other keys: resty kong/native/benches/decide.lua LIBRARY CDEF KEYS
--
-- The keys are asked with in turn, 1,000 of them and then all: with all of them no cache of the processor holds what is
-- looked at. Time is the processor's, and the time for choosing a key is taken off.


local ffi = require "ffi"
local resty_sha256 = require "resty.sha256"
local to_hex = require("resty.string").to_hex


local LIBRARY, CDEF, KEYS = arg[1], arg[2], tonumber(arg[3] or 100000)
local ROUNDS, RUNS = 1000000, 7


ffi.cdef(dofile(CDEF))
ffi.cdef "typedef struct { long s, ns; } bench_time; int clock_gettime(int, bench_time *);"


local C = ffi.load(LIBRARY)
local PROCESS_TIME = 2


local function key(number)
  return ("key-of-a-consumer-whose-number-is-%09d"):format(number)
end


local function document()
  local consumers = {}
  for number = 0, KEYS - 1 do
    local sha256 = resty_sha256:new()
    sha256:update(key(number))
    consumers[#consumers + 1] = ('{"username":"consumer-%d","keys":[{"id":"1","sha256":"%s"}]}')
      :format(number, to_hex(sha256:final()))
  end

  return '{"key_names":["X-API-Key"],"hide_credentials":true,"client_certificate":"kong-client",' ..
         '"rules":[{"match":{"methods":["DELETE"]},"deny":{}}],"consumers":[' .. table.concat(consumers, ",") .. "]}"
end


local text = document()
local policy = ffi.gc(C.mtls_policy_compile(text, #text, nil), C.mtls_policy_free)
assert(C.mtls_policy_problems(policy).data == nil, "the policy has problems")
text = nil -- luacheck: ignore


local sent = {
  { "Host", "dogs.example" },
  { "Accept", "*/*" },
  { "User-Agent", "curl/8.5.0" },
  { "X-API-Key", key(0) },
}
local headers = ffi.new("mtls_policy_field[?]", #sent)
for i, header in ipairs(sent) do
  local name, value = header[1], header[2]
  headers[i - 1] = { { #name, name }, { #value, value } }
end


local request = ffi.new "mtls_policy_request"
local removed = ffi.new("mtls_policy_text[?]", 8)
local decision = ffi.new("mtls_policy_decision", { removed = removed, removed_capacity = 8 })
local METHOD = "GET"
request.method.data, request.method.len = METHOD, #METHOD
request.headers, request.headers_len = headers, #sent
request.now = 1800000000


-- In place: a list of keys would take its share of the caches.
local LENGTH = #key(0)
local asked_with = ffi.new("uint8_t[?]", LENGTH + 1, key(0))
headers[#sent - 1].value = { LENGTH, asked_with }
local function write(number)
  for at = LENGTH - 1, LENGTH - 9, -1 do
    asked_with[at] = 48 + number % 10
    number = math.floor(number / 10)
  end
end


local function now()
  local time = ffi.new "bench_time"
  ffi.C.clock_gettime(PROCESS_TIME, time)
  return tonumber(time.s) * 1e9 + tonumber(time.ns)
end


local function run(step, decide)
  local began, number = now(), 0
  for _ = 1, ROUNDS do
    write(number)
    number = (number + step) % KEYS
    if decide and C.mtls_policy_decide(policy, request, decision) ~= 0 then
      error("refused")
    end
  end

  return (now() - began) / ROUNDS
end


local function median(step)
  run(step, true)
  local took = {}
  for i = 1, RUNS do
    took[i] = run(step, true) - run(step, false)
  end

  table.sort(took)
  return took[math.ceil(RUNS / 2)], took[1], took[RUNS]
end


for _, case in ipairs { { "1,000 of the keys", KEYS / 1000 }, { "all of the keys", 1 } } do
  local middle, least, most = median(case[2])
  print(("%s in turn, of %d: %.0f ns a decision (median of %d; %.0f to %.0f)")
    :format(case[1], KEYS, middle, RUNS, least, most))
end
