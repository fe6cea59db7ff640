--[[
  Which of a destination's jobs are given to the workers; put in front of the transition script, after `job` and `gate`.

  A flow is what one tenant has for one destination. Of each destination a bounded number of jobs is out, which means in BullMQ or
  being delivered; the rest is kept back, by flow, and let go round robin over the tenants. All keys begin with the prefix ARGV[2]:
    out:<dest>             set: jobs that are out
    active:<dest>          zset: jobs being delivered, by the end of their lease
    backlog:<dest>:<cnpj>  zset: jobs kept back, by their number; those of later rounds stand behind what was accepted before
    flows:<dest>           zset: the tenants with a backlog, by their turn
    flowing                set: destinations with a backlog
    kept                   hash: by queue, how many jobs are kept back
    kept-of                hash: the same by tenant, of those that have any
    order:<dest>:<cnpj>:<key>  zset: all unfinished jobs of an ordering key; the first alone may be out
  A record's `kept` tells what it waits for: 'flow' for its turn, 'order' for the one before it in its line.
]]
local function flowKeyOf(kind, dest)
  return ARGV[2] .. kind .. ':' .. dest
end
local function backlogKey(record)
  return flowKeyOf('backlog', record.destination) .. ':' .. record.cnpj
end
local function lineKey(record)
  return flowKeyOf('order', record.destination) .. ':' .. record.cnpj .. ':' .. record.ordering
end

-- What this call knows of each destination already; read when it is asked for.
local flows = {}
local function flowOf(dest)
  flows[dest] = flows[dest] or { dest = dest }
  return flows[dest]
end

local function outOf(flow)
  flow.out = flow.out or redis.call('SCARD', flowKeyOf('out', flow.dest))
  return flow.out
end

local function hasBacklog(flow)
  if flow.waits == nil then flow.waits = redis.call('EXISTS', flowKeyOf('flows', flow.dest)) == 1 end
  return flow.waits
end

-- What stands for no limit (JavaScript's Number.MAX_SAFE_INTEGER): only the environment's destination has none.
local unlimited = 9007199254740991

-- How many may be out: as many as may be delivered to at once, or as the workers have places for and a few more, so that none of
-- them waits. Filled up one by one in the first case, because whatever is out beyond that would have to come back; else in portions.
-- Whatever limit a destination has, it leaves others a part of the places: one that hangs would have all of them else.
local function setLimits(flow, concurrency, slots)
  local ahead = math.min(slots, math.max(2, math.ceil(slots / 4)))
  if concurrency < unlimited then concurrency = math.min(concurrency, math.max(1, slots - ahead)) end
  flow.concurrency, flow.room = concurrency, math.min(concurrency, slots + ahead)
  flow.low = flow.room - (flow.room == concurrency and 1 or math.ceil(ahead / 2))
end

local function limitsOf(flow)
  if flow.room then return flow end
  local stored = redis.call('HMGET', gateKey(flow.dest), 'concurrency', 'slots')
  setLimits(flow, tonumber(stored[1] or 10), tonumber(stored[2] or 50))
  return flow
end

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

-- True when it was not out before.
local function goOut(n, dest)
  local flow, added = flowOf(dest), redis.call('SADD', flowKeyOf('out', dest), n)
  if flow.out then flow.out = flow.out + added end
  return added == 1
end

local function comeIn(n, dest)
  local flow, removed = flowOf(dest), redis.call('SREM', flowKeyOf('out', dest), n)
  if flow.out then flow.out = flow.out - removed end
end

local function countKept(record, by)
  redis.call('HINCRBY', ARGV[2] .. 'kept', record.queue, by)
  local left = redis.call('HINCRBY', ARGV[2] .. 'kept-of', record.cnpj, by)
  if left <= 0 then redis.call('HDEL', ARGV[2] .. 'kept-of', record.cnpj) end
end

-- Places the tenant behind those whose turn comes, unless it is among them.
local function standInRing(dest, cnpj)
  local ring = flowKeyOf('flows', dest)
  redis.call('ZADD', ring, 'NX', placeBehind(ring, 0), cnpj)
  redis.call('SADD', ARGV[2] .. 'flowing', dest)
  flowOf(dest).waits = true
end

local function keepBack(n, recordKey, record, score)
  local key = backlogKey(record)
  if redis.call('ZADD', key, 'NX', score, n) == 1 then
    countKept(record, 1)
    if redis.call('ZCARD', key) == 1 then standInRing(record.destination, record.cnpj) end
  end
  redis.call('HSET', recordKey, 'kept', 'flow')
  record.kept = 'flow'
end

local function leaveRing(dest, cnpj)
  local ring = flowKeyOf('flows', dest)
  redis.call('ZREM', ring, cnpj)
  if redis.call('EXISTS', ring) == 1 then return end
  redis.call('SREM', ARGV[2] .. 'flowing', dest)
  flowOf(dest).waits = false
end

-- For the sweeper, when a job's backlog or tenant should be there and may not be.
local function mendBacklog(n, record)
  redis.call('ZADD', backlogKey(record), 'NX', n, n)
  standInRing(record.destination, record.cnpj)
end

-- The job is kept back no longer, wherever it was.
local function unkeep(n, recordKey, record)
  if not record.kept then return end
  local wasThere = true
  if record.kept == 'flow' then
    local key = backlogKey(record)
    wasThere = redis.call('ZREM', key, n) == 1
    if wasThere and redis.call('EXISTS', key) == 0 then leaveRing(record.destination, record.cnpj) end
  end
  if wasThere then countKept(record, -1) end
  redis.call('HDEL', recordKey, 'kept')
  record.kept = false
end

-- True for a job without an ordering key, and for the first of its line.
local function isFirst(n, record)
  if not record.ordering then return true end
  local first = redis.call('ZRANGE', lineKey(record), 0, 0)[1]
  if first then return first == n end
  redis.call('ZADD', lineKey(record), n, n)
  return true
end

-- Gives a job out or keeps it back. True when it is out: the caller adds it to BullMQ.
local function admit(n, recordKey, record, score)
  if not isFirst(n, record) then
    if not record.kept then countKept(record, 1) end
    redis.call('HSET', recordKey, 'kept', 'order')
    record.kept = 'order'
    return false
  end
  local dest = record.destination
  local flow = flowOf(dest)
  if hasBacklog(flow) or outOf(flow) >= limitsOf(flow).room or gateAllows(dest, 1, outOf(flow)) < 1 then
    keepBack(n, recordKey, record, score)
    return false
  end
  goOut(n, dest)
  return true
end

local function mayBeOut(record)
  return record.status == 'QUEUED' or record.status == 'RETRYING' or record.status == 'HELD'
end

-- The next job whose turn it is: its number and record, or nil. Numbers that nothing stands behind any more are passed over.
local function takeNext(dest, readJob)
  local ring = flowKeyOf('flows', dest)
  while hasBacklog(flowOf(dest)) do
    local cnpj = redis.call('ZPOPMIN', ring)[1]
    local key = flowKeyOf('backlog', dest) .. ':' .. cnpj
    local n = redis.call('ZPOPMIN', key)[1]
    if n and redis.call('EXISTS', key) == 1 then standInRing(dest, cnpj) else leaveRing(dest, cnpj) end
    if n then
      local recordKey, record = readJob(n)
      if record.status then countKept(record, -1) end
      if record.kept then redis.call('HDEL', recordKey, 'kept') end
      if record.kept == 'flow' and mayBeOut(record) then return n, record end
    end
  end
end

-- Gives out what there is room for, from when few are out, or from when any may be with `eager`. Calls `give(n, record)` for each.
local function release(dest, readJob, give, eager)
  local flow = flowOf(dest)
  if not hasBacklog(flow) then return end
  local out, limits = outOf(flow), limitsOf(flow)
  if out >= limits.room or (out > limits.low and not eager) then return end
  local wanted = gateAllows(dest, limits.room - out, out)
  while wanted > 0 do
    local n, record = takeNext(dest, readJob)
    if not n then return end
    goOut(n, dest)
    give(n, record)
    wanted = wanted - 1
  end
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

-- The job's turn in its line is over. Gives the one that comes next and waits for that, as number, key of its record and record.
local function leaveLine(n, record, readJob)
  if not record.ordering then return nil end
  local key = lineKey(record)
  redis.call('ZREM', key, n)
  while true do
    local first = redis.call('ZRANGE', key, 0, 0)[1]
    if not first then return nil end
    local recordKey, next = readJob(first)
    local isOver = not next.status or next.status == 'DELIVERED' or next.status == 'FAILED' or next.status == 'DISCARDED'
    if not isOver then
      if next.kept == 'order' then return first, recordKey, next end
      return nil
    end
    redis.call('ZREM', key, first)
  end
end
