--[[
  What becomes of a destination's breaker (see breaker.lua) when an attempt ends, or by hand; put in front of the scripts that change or
  tell of it, after `breaker`.
]]
local function readBreaker(key, now)
  return breakerOf(key, redis.call('HMGET', key, 'breaker', 'probesAt', 'cooldown', 'closedAt', 'row'), now)
end

local function sliceKey(key, now, back)
  return key .. ':' .. int(math.floor(now / sliceMs) - back)
end

-- Attempts that ended well in this call, by slice: written together, before anybody reads them.
local ended = {}
local function writeEnded()
  for slice, count in pairs(ended) do
    if redis.call('HINCRBY', slice, 'ok', count) == count then redis.call('PEXPIRE', slice, sliceMs * (slices + 1)) end
  end
  ended = {}
end

-- Attempts within the last minute, and how many of them were faults.
local function countAttempts(key, now)
  writeEnded()
  local all, faults = 0, 0
  for back = 0, slices - 1 do
    local counts = redis.call('HMGET', sliceKey(key, now, back), 'ok', 'fault')
    faults = faults + tonumber(counts[2] or 0)
    all = all + tonumber(counts[1] or 0) + tonumber(counts[2] or 0)
  end
  return all, faults
end

local function forgetAttempts(key, now)
  writeEnded()
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
  if class == 'ok' then
    ended[slice] = (ended[slice] or 0) + 1
    if breaker.row > 0 then redis.call('HDEL', key, 'row') end
    return nil
  end
  if redis.call('HINCRBY', slice, 'fault', 1) == 1 then redis.call('PEXPIRE', slice, sliceMs * (slices + 1)) end
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
