--[[
  Whether a destination may be delivered to now; put in front of the scripts that use it, after `job` and `breaker`.

  What is known of a destination is the hash <prefix>gate:<destination>. The prefix of all keys of the script's own is ARGV[2]. Whoever
  has read the destination tells (see rememberTerms): `active` ('0' while it is out of service), `shutFrom` and `shutUntil` (the next
  hours in which it is not delivered to), `rate` (attempts a second, '0' for any number), `breakAt`, `breakAfter` and `coolDown` (at which
  part of how many attempts its breaker opens, and for how long at first), `deadline` (the age at which its jobs are given up, '0' for
  never). Times are ms.
]]
local function gateKey(dest)
  return ARGV[2] .. 'gate:' .. dest
end

-- Jobs that wait for their turn under a rate limit are given one of the next so many milliseconds.
local rateAheadMs = 2000
-- A turn that was not taken by then is lost.
local rateKeptMs = 1000
-- When a job is asked for again that waits for others, and not for a time.
local soonMs = 1000
local operationsKept, toldAMinute = 10000, 60

-- What this call knows of each destination already; nil again where that changes.
local gates = {}

local function readGate(dest, now)
  if gates[dest] then return gates[dest] end
  local key = gateKey(dest)
  local values = redis.call('HMGET', key, 'breaker', 'probesAt', 'cooldown', 'closedAt', 'row',
    'active', 'shutFrom', 'shutUntil', 'rate', 'breakAt', 'breakAfter', 'coolDown', 'deadline')
  local gate = { dest = dest, key = key, rate = tonumber(values[9] or 0), deadline = tonumber(values[13] or 0), breaker = breakerOf(key, values, now),
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

-- When this job may be sent: now, or when its turn is (the generic cell rate algorithm, ITU-T I.371); nil when that is too far off.
-- A tenth of a second's worth may go at once.
local function rateTurn(gate, recordKey, now)
  local slot = tonumber(redis.call('HGET', recordKey, 'slot') or 0)
  if slot > now then return slot end
  if slot > 0 then
    redis.call('HDEL', recordKey, 'slot')
    if slot > now - rateKeptMs then return now end
  end
  local gapMs = 1000 / gate.rate
  local burstMs = burstOf(gate)
  local next = math.max(now, tonumber(redis.call('HGET', gate.key, 'nextTurn') or 0))
  -- Whose rate was raised does not wait as for the old one.
  next = math.min(next, now + rateAheadMs + burstMs + gapMs)
  local turn = math.max(now, math.ceil(next - burstMs))
  if turn > now + rateAheadMs then return nil end
  redis.call('HSET', gate.key, 'nextTurn', string.format('%.3f', next + gapMs))
  if turn > now then redis.call('HSET', recordKey, 'slot', int(turn)) end
  return turn
end

-- Whether an attempt of this job may begin now: nil | {'wait', until}: the worker asks again then | {'hold', until, why}: the job goes
-- back to the front of its backlog as HELD.
local function gateAtStart(dest, n, recordKey, leaseMs, now)
  local gate = readGate(dest, now)
  if gate.why then return { 'hold', gate.shutUntil, gate.why } end
  -- Those that come back after a delay are as many as there are.
  if gate.breaker.state == 'closing' and deliveriesOf(dest, now) >= breakerLimit(gate.breaker, now) then
    return { 'hold', now + soonMs, 'BREAKER' }
  end
  if gate.rate > 0 then
    local turn = rateTurn(gate, recordKey, now)
    if not turn then return { 'hold', now + rateAheadMs, 'RATE' } end
    if turn > now then return { 'wait', turn } end
  end
  local lets, askAt = breakerLets(gate.breaker, n, leaseMs, now)
  if not lets then return { 'hold', askAt, 'BREAKER' } end
  return nil
end

-- Whoever has longer for its attempt is a probe for longer.
local function extendProbe(dest, n, leaseMs, now)
  local probes = gateKey(dest) .. ':probes'
  if redis.call('ZADD', probes, 'XX', 'CH', int(now + leaseMs), n) == 1 then redis.call('PEXPIRE', probes, int(leaseMs)) end
end

-- Puts down what is worth telling people, for the worker that does so (see delivery/operations.ts): name, value, …
local function tell(kind, now, ...)
  redis.call('XADD', ARGV[2] .. 'operations', 'MAXLEN', '~', operationsKept, '*', 'kind', kind, 'at', int(now), ...)
end

local function tellOfBreaker(gate, change, now, cause)
  local breakers = ARGV[2] .. 'breakers'
  local values = redis.call('HMGET', gate.key, 'failureRate', 'openedAt', 'probesAt')
  if change == 'opened' then
    redis.call('ZADD', breakers, int(now), gate.dest)
  else
    redis.call('ZREM', breakers, gate.dest)
  end
  tell('breaker.' .. change, now, 'destination', gate.dest, 'failureRate', values[1] or '', 'openedAt', values[2] or '',
    'probesAt', values[3] or '', 'cause', cause)
end

-- Told of each outcome: 'ok' | 'fault' | 'none', of an attempt that began at `startedAt`. 'opened' | 'closed' | nil
local function gateAtFinish(dest, n, class, startedAt, now)
  local gate = readGate(dest, now)
  if gate.policy.attempts == 0 then return nil end
  local change = breakerAtFinish(gate.breaker, n, class, startedAt, gate.policy, now)
  gates[dest] = nil
  if change then tellOfBreaker(gate, change, now, change == 'opened' and 'faults' or 'probe') end
  return change
end

-- By hand. 'closed' when it was open, else 'none'
local function resetGate(dest, now)
  local gate = readGate(dest, now)
  local change = resetBreaker(gate.key, now)
  gates[dest] = nil
  if change then tellOfBreaker(gate, change, now, 'reset') end
  return change or 'none'
end

-- A job that failed for good: `minute` counts those of a tenant, so that of a flood each minute's first are told, and how many were
-- left out in the minute before.
local function tellOfFailure(n, recordKey, failure, now)
  local job = redis.call('HMGET', recordKey, 'cnpj', 'destination', 'event', 'type', 'queue')
  if string.sub(job[4] or '', 1, 7) == 'gancho.' then return end
  local minute = math.floor(now / 60000)
  local function countKey(of) return ARGV[2] .. 'operations:' .. job[1] .. ':' .. int(of) end
  local count = redis.call('INCR', countKey(minute))
  if count == 1 then redis.call('EXPIRE', countKey(minute), 180) end
  if count > toldAMinute then return end
  local before = count == 1 and tonumber(redis.call('GET', countKey(minute - 1)) or 0) or 0
  tell('job.failed', now, 'n', n, 'cnpj', job[1], 'destination', job[2], 'event', job[3], 'type', job[4] or '', 'queue', job[5],
    'failure', failure, 'leftOut', int(math.max(0, before - toldAMinute)))
end
