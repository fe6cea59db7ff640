--[[
  What an outcome tells of its destination, and what people are told; put in front of the scripts that record outcomes, after `gate` and
  `breaker-outcomes`.
]]
local operationsKept, toldAMinute = 10000, 60

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
  -- While it is closed, all that is well changes nothing of what is known.
  if gate.breaker.state ~= 'closed' or class == 'fault' then gates[dest] = nil end
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
local function tellOfFailure(n, job, failure, now)
  if string.sub(job.type, 1, 7) == 'gancho.' then return end
  local minute = math.floor(now / 60000)
  local function countKey(of) return ARGV[2] .. 'operations:' .. job.cnpj .. ':' .. int(of) end
  local count = redis.call('INCR', countKey(minute))
  if count == 1 then redis.call('EXPIRE', countKey(minute), 180) end
  if count > toldAMinute then return end
  local before = count == 1 and tonumber(redis.call('GET', countKey(minute - 1)) or 0) or 0
  tell('job.failed', now, 'n', n, 'cnpj', job.cnpj, 'destination', job.destination, 'event', job.event, 'type', job.type,
    'queue', job.queue, 'failure', failure, 'leftOut', int(math.max(0, before - toldAMinute)))
end
