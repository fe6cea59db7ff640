--[[
  The rate limit of a tenant: a token bucket, kept as what is spent of it. Put in front of the scripts that use it.

  A bucket is a hash: `spent`, in millionths of an event, and `at`, the time in ms for which that is true. `rate` is in thousandths of
  an event a second, which are millionths in a ms, so that all of it is whole numbers. The hash is gone as soon as nothing is spent.
]]
local eventCost = 1000000

local function readBucket(key, rate, burst, now)
  local stored = redis.call('HMGET', key, 'spent', 'at')
  local at = tonumber(stored[2] or now)
  -- The clock was set back: nothing is free before it has gone on from there, however long it takes to be where it was.
  if now < at then
    redis.call('HSET', key, 'at', int(now))
    at = now
  end
  local spent = math.max(0, tonumber(stored[1] or 0) - (now - at) * rate)
  -- Whose burst was lowered waits no longer than for the new one.
  return { key = key, rate = rate, size = burst * eventCost, now = now, spent = math.min(spent, burst * eventCost) }
end

-- Milliseconds until one more event fits, 0 when it does now.
local function waitMs(bucket)
  return math.max(0, math.ceil((bucket.spent + eventCost - bucket.size) / bucket.rate))
end

local function spendOne(bucket)
  bucket.spent = bucket.spent + eventCost
  redis.call('HSET', bucket.key, 'spent', int(bucket.spent), 'at', int(bucket.now))
  redis.call('PEXPIREAT', bucket.key, int(bucket.now + math.ceil(bucket.spent / bucket.rate)))
end

-- Whole events that fit now, and ms until nothing is spent any more.
local function restOf(bucket)
  return math.floor((bucket.size - bucket.spent) / eventCost), math.ceil(bucket.spent / bucket.rate)
end
