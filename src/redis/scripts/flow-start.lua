--[[
  Whether an attempt may begin, as far as the places of its destination go; put in front of the scripts that need it, after `flow`.
]]
-- Stores what the caller knows of a destination where that is new. `text`: name, value, … as a JSON array of texts, or ''. The whole of it
-- is kept as well, so that what was told before is known by one comparison.
local function rememberTerms(dest, text)
  if text == '' or readGate(dest, nowMs()).told == text then return end
  redis.call('HSET', gateKey(dest), 'told', text, unpack(cjson.decode(text)))
  redis.call('EXPIRE', gateKey(dest), gateLifeS)
  gates[dest], flowOf(dest).room = nil, nil
  -- Nothing would close a breaker that is none any more.
  if readGate(dest, nowMs()).policy.attempts == 0 then redis.call('ZREM', ARGV[2] .. 'breakers', dest) end
end

-- Of a destination with so many places, which only those of the workers bound, nobody counts them, unless its breaker does.
local unbounded = 1e9

-- Whether a destination has all the deliveries under way that it may have. A lease that ran out frees its place.
local function hasNoPlace(n, flow, now)
  if flow.concurrency >= unbounded then return false end
  local key = flowKeyOf('active', flow.dest)
  if redis.call('ZCARD', key) < flow.concurrency or redis.call('ZSCORE', key, n) then return false end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now))
  return redis.call('ZCARD', key) >= flow.concurrency
end

-- Counts a job as out whose attempt is to begin, and true when it may not: no place is free, or it comes from elsewhere, as one whose
-- delay is over, and as many are out as may be.
local function isBusy(n, dest, now)
  local flow = limitsOf(flowOf(dest))
  local isNew = goOut(dest, { n }) == 1
  local isCrowded = isNew and outOf(flow) > flow.room
  if not isCrowded and not hasNoPlace(n, flow, now) then return false end
  if isNew then comeIn(n, dest) end
  return true
end

local function takePlace(n, dest, leaseUntil)
  local isCounted = limitsOf(flowOf(dest)).concurrency < unbounded or breakerLimits(dest)
  if isCounted then redis.call('ZADD', flowKeyOf('active', dest), int(leaseUntil), n) end
end
