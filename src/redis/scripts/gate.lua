--[[
  Whether a destination may be delivered to now; put in front of the scripts that use it, after `job` and `breaker`. What is
  asked when an attempt begins is in gate-start.lua, and what follows from its outcome in gate-outcomes.lua.

  What is known of a destination is the hash <prefix>gate:<destination>. The prefix of all keys of the script's own is ARGV[2]. Whoever
  has read the destination tells (see rememberTerms): `active` ('0' while it is out of service), `shutFrom` and `shutUntil` (the next
  hours in which it is not delivered to), `rate` (attempts a second, '0' for any number), `breakAt`, `breakAfter` and `coolDown` (at which
  part of how many attempts its breaker opens, and for how long at first), `deadline` (the age at which its jobs are given up, '0' for
  never), `concurrency` and `slots` (see flow.lua); and `told`, all of this as it was told last. Times are ms.
]]
local function gateKey(dest)
  return ARGV[2] .. 'gate:' .. dest
end

-- Jobs that wait for their turn under a rate limit are given one of the next so many milliseconds.
local rateAheadMs = 2000

-- What this call knows of each destination already; nil again where that changes.
local gates = {}

local function readGate(dest, now)
  if gates[dest] then return gates[dest] end
  local key = gateKey(dest)
  local values = redis.call('HMGET', key, 'breaker', 'probesAt', 'cooldown', 'closedAt', 'row',
    'active', 'shutFrom', 'shutUntil', 'rate', 'breakAt', 'breakAfter', 'coolDown', 'deadline', 'concurrency',
    'slots', 'told')
  local gate = { dest = dest, key = key, rate = tonumber(values[9] or 0), deadline = tonumber(values[13] or 0),
    concurrency = tonumber(values[14] or 10), slots = tonumber(values[15] or 50), told = values[16],
    breaker = breakerOf(key, values, now),
    policy = { failureRate = tonumber(values[10] or 1), attempts = tonumber(values[11] or 0), cooldown = tonumber(values[12] or 0) } }
  gates[dest] = gate
  -- There are no breakers.
  if gate.policy.attempts == 0 then gate.breaker.state = 'closed' end
  local shutFrom, shutUntil = tonumber(values[7] or 0), tonumber(values[8] or 0)
  if values[6] == '0' then
    gate.why, gate.shutUntil = 'OUT_OF_SERVICE', 0
  elseif now >= shutFrom and now < shutUntil then
    gate.why, gate.shutUntil = 'DELIVERY_WINDOW', shutUntil
  elseif gate.breaker.state == 'open' then
    gate.why, gate.shutUntil = 'BREAKER', gate.breaker.probesAt
  end
  return gate
end

-- Why nothing is delivered to it now, and until when where that is known; nil while something may be.
local function gateShut(dest, now)
  local gate = readGate(dest, now)
  return gate.why, gate.shutUntil
end

local function burstOf(gate)
  return (math.max(1, math.floor(gate.rate / 10)) - 1) * 1000 / gate.rate
end

-- How many jobs have a turn within the time for which turns are given.
local function turnsLeft(gate, now)
  local gapMs = 1000 / gate.rate
  local next = math.max(now, tonumber(redis.call('HGET', gate.key, 'nextTurn') or 0) - burstOf(gate))
  return math.max(0, math.ceil((now + rateAheadMs - next) / gapMs))
end

-- Whether the breaker has fewer jobs go than the destination has places.
local function breakerLimits(dest)
  return readGate(dest, nowMs()).breaker.state ~= 'closed'
end

local function deliveriesOf(dest, now)
  return redis.call('ZCOUNT', ARGV[2] .. 'active:' .. dest, int(now), '+inf')
end

-- How many more the breaker lets go. Attempts that were begun before it opened may hang for long, and are no probes.
local function breakerRoom(gate, out, now)
  local limit = breakerLimit(gate.breaker, now)
  if not limit then return math.huge end
  if gate.breaker.state ~= 'half-open' then return limit - out end
  local probes = redis.call('ZCOUNT', gate.key .. ':probes', int(now), '+inf')
  return limit - probes - math.max(0, out - deliveriesOf(gate.dest, now))
end

-- How many of `wanted` jobs may be given to the workers now, where these have `out` already.
local function gateAllows(dest, wanted, out)
  local now = nowMs()
  local gate = readGate(dest, now)
  if gate.why then return 0 end
  local allowed = math.min(wanted, breakerRoom(gate, out, now))
  if gate.rate > 0 then
    local most = math.ceil(gate.rate * rateAheadMs / 1000)
    allowed = math.min(allowed, turnsLeft(gate, now), most - out)
  end
  return math.max(0, allowed)
end
