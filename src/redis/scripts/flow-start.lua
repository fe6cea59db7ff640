--[[
  Whether an attempt may begin, as far as the places of its destination go; put in front of the scripts that need it, after `flow`.
]]
-- Stores what the caller knows of a destination where that is new: name, value, … from argument number `from` on.
local function rememberTerms(dest, args, from)
  if not args[from] then return end
  local names, told, changed = {}, {}, {}
  for a = from, #args, 2 do
    names[#names + 1] = args[a]
    told[args[a]] = args[a + 1]
  end
  local stored = redis.call('HMGET', gateKey(dest), unpack(names))
  for i, name in ipairs(names) do
    if stored[i] ~= told[name] then
      changed[#changed + 1] = name
      changed[#changed + 1] = told[name]
    end
  end
  if changed[1] then
    redis.call('HSET', gateKey(dest), unpack(changed))
    redis.call('EXPIRE', gateKey(dest), gateLifeS)
    gates[dest] = nil
    if told.breakAfter == '0' then redis.call('ZREM', ARGV[2] .. 'breakers', dest) end
  end
  if told.concurrency and told.slots then setLimits(flowOf(dest), tonumber(told.concurrency), tonumber(told.slots)) end
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
  local isNew = goOut(n, dest)
  local isCrowded = isNew and outOf(flow) > flow.room
  if not isCrowded and not hasNoPlace(n, flow, now) then return false end
  if isNew then comeIn(n, dest) end
  return true
end

local function takePlace(n, dest, leaseUntil)
  local isCounted = limitsOf(flowOf(dest)).concurrency < unbounded or breakerLimits(dest)
  if isCounted then redis.call('ZADD', flowKeyOf('active', dest), int(leaseUntil), n) end
end
