--[[
  The breaker of a destination: whether it fails so much that its jobs are better kept back. Put in front of the scripts that use it.

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

local function readBreaker(key, now)
  return breakerOf(key, redis.call('HMGET', key, 'breaker', 'probesAt', 'cooldown', 'closedAt', 'row'), now)
end

local function sliceKey(key, now, back)
  return key .. ':' .. int(math.floor(now / sliceMs) - back)
end

-- Attempts within the last minute, and how many of them were faults.
local function countAttempts(key, now)
  local all, faults = 0, 0
  for back = 0, slices - 1 do
    local counts = redis.call('HMGET', sliceKey(key, now, back), 'ok', 'fault')
    faults = faults + tonumber(counts[2] or 0)
    all = all + tonumber(counts[1] or 0) + tonumber(counts[2] or 0)
  end
  return all, faults
end

local function forgetAttempts(key, now)
  for back = 0, slices - 1 do redis.call('DEL', sliceKey(key, now, back)) end
  redis.call('DEL', key .. ':probes')
  redis.call('HDEL', key, 'row')
end

local function openBreaker(breaker, failureRate, policy, now)
  local key, first = breaker.key, policy.cooldown
  local isFirst = breaker.state == 'closed'
  local cooldown = isFirst and first or math.min(math.max(breaker.cooldown, first) * 2, first * maxCooldowns)
  redis.call('HSET', key, 'breaker', 'open', 'probesAt', int(now + cooldown), 'cooldown', int(cooldown))
  if breaker.state ~= 'half-open' then
    redis.call('HSET', key, 'openedAt', int(now), 'failureRate', string.format('%.4f', failureRate))
  end
  redis.call('EXPIRE', key, gateLifeS)
  forgetAttempts(key, now)
end

local function closeBreaker(key, now)
  redis.call('HSET', key, 'breaker', 'closing', 'closedAt', int(now))
  redis.call('EXPIRE', key, gateLifeS)
  forgetAttempts(key, now)
end

-- Counts one attempt that was begun at `startedAt` ('ok', 'fault', or 'none' for one that tells nothing of the destination).
-- 'opened' | 'closed' | nil when it is as before
local function breakerAtFinish(breaker, n, class, startedAt, policy, now)
  local key, state = breaker.key, breaker.state
  if state == 'open' or state == 'half-open' then
    -- What was begun before it opened tells nothing of now.
    local isProbe = redis.call('ZREM', key .. ':probes', n) == 1
    if state == 'open' or not isProbe or class == 'none' then return nil end
    if class == 'ok' then
      closeBreaker(key, now)
      return 'closed'
    end
    openBreaker(breaker, 1, policy, now)
    return nil
  end
  if class == 'none' or startedAt < breaker.closedAt then return nil end
  local slice = sliceKey(key, now, 0)
  if redis.call('HINCRBY', slice, class, 1) == 1 then redis.call('PEXPIRE', slice, sliceMs * (slices + 1)) end
  if class == 'ok' then
    if breaker.row > 0 then redis.call('HDEL', key, 'row') end
    return nil
  end
  local row = redis.call('HINCRBY', key, 'row', 1)
  if row == 1 then redis.call('EXPIRE', key, gateLifeS) end
  local all, faults = countAttempts(key, now)
  local sample = state == 'closing' and math.min(catchUpSample, policy.attempts) or policy.attempts
  local isRateHigh = all >= sample and faults >= all * policy.failureRate
  -- Where there is little to do the last minute tells little: then as many faults in a row do, however long they took.
  if not isRateHigh and row < policy.attempts then return nil end
  openBreaker(breaker, faults / all, policy, now)
  return 'opened'
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

-- By hand: 'closed', or nil when it was not open.
local function resetBreaker(key, now)
  local state = readBreaker(key, now).state
  if state == 'open' or state == 'half-open' then
    closeBreaker(key, now)
    return 'closed'
  end
  forgetAttempts(key, now)
  return nil
end
