--[[
  The breaker of a destination: whether it fails so much that its jobs are better kept back. Put in front of the scripts that
  use it; what outcomes change is in breaker-outcomes.lua.

  It is closed, until too much fails; open, for a cool-down; half-open from then on, when a few jobs go as probes; closed again with the
  first that ends well, at first for few at a time; open again, for longer, with the first that does not.

  The hash `key` has of it, while it is not simply closed: `breaker` ('open' or 'closing'), `openedAt`, `probesAt`, `cooldown` in ms,
  `closedAt`, `failureRate` at which it opened; and `row`, how many faults there were in a row. Beside it stand `<key>:<10 s>`, how
  many attempts ended well and not in that time, and `<key>:probes`, the jobs that are probes, by the end of their leases.
]]
local sliceMs, slices = 10000, 6
local gateLifeS = 7 * 86400
local maxProbes = 3
-- Longest cool-down, in times of the first.
local maxCooldowns = 16
-- So many at a time follow the probe, and twice as many with each step, until the catching up is over.
local catchUpFrom, catchUpStepMs, catchUpMs = 2, 5000, 60000
-- Attempts after which it may open again while it catches up.
local catchUpSample = 5

-- From the values of `breaker`, `probesAt`, `cooldown`, `closedAt` and `row`.
local function breakerOf(key, values, now)
  local breaker = { key = key, state = values[1] or 'closed', probesAt = tonumber(values[2] or 0),
    cooldown = tonumber(values[3] or 0), closedAt = tonumber(values[4] or 0), row = tonumber(values[5] or 0) }
  if breaker.state == 'open' and now >= breaker.probesAt then breaker.state = 'half-open' end
  if breaker.state == 'closing' and now >= breaker.closedAt + catchUpMs then breaker.state = 'closed' end
  return breaker
end

-- Whether this job may be sent now: true, or false and when to ask again.
local function breakerLets(breaker, n, leaseMs, now)
  if breaker.state == 'open' then return false, breaker.probesAt end
  if breaker.state ~= 'half-open' then return true end
  local probes = breaker.key .. ':probes'
  -- Whoever took one and crashed has it no longer than a delivery takes.
  redis.call('ZREMRANGEBYSCORE', probes, '-inf', int(now))
  local isProbe = redis.call('ZSCORE', probes, n)
  if not isProbe and redis.call('ZCARD', probes) >= maxProbes then return false, now + 1000 end
  redis.call('ZADD', probes, int(now + leaseMs), n)
  redis.call('PEXPIRE', probes, int(leaseMs))
  return true
end

-- How many jobs may be under way at a time; nil where the breaker does not limit it.
local function breakerLimit(breaker, now)
  if breaker.state == 'open' then return 0 end
  if breaker.state == 'half-open' then return maxProbes end
  if breaker.state ~= 'closing' then return nil end
  return catchUpFrom * 2 ^ math.floor((now - breaker.closedAt) / catchUpStepMs)
end
