--[[
  Which of a destination's jobs are given to the workers; put in front of the scripts that change jobs, after `job` and
  `gate`. What is asked when an attempt begins is in flow-start.lua, and what lets the next ones go in flow-release.lua.

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

-- What this call knows of each destination already; read when it is asked for. `standing`: tenants that surely are in its ring.
local flows = {}
local function flowOf(dest)
  flows[dest] = flows[dest] or { dest = dest, standing = {} }
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
  local gate = readGate(flow.dest, nowMs())
  setLimits(flow, gate.concurrency, gate.slots)
  return flow
end

-- How many of these jobs were not out before.
local function goOut(dest, ns)
  local flow, added = flowOf(dest), redis.call('SADD', flowKeyOf('out', dest), unpack(ns))
  if flow.out then flow.out = flow.out + added end
  return added
end

local function comeIn(n, dest)
  local flow, removed = flowOf(dest), redis.call('SREM', flowKeyOf('out', dest), n)
  if flow.out then flow.out = flow.out - removed end
end

-- By how much this call changes how many jobs are kept back, of each queue and tenant: written at its end.
local keptBy = { queue = {}, cnpj = {} }
local function countKept(queue, cnpj, by)
  keptBy.queue[queue] = (keptBy.queue[queue] or 0) + by
  keptBy.cnpj[cnpj] = (keptBy.cnpj[cnpj] or 0) + by
end

local function writeKept()
  for queue, by in pairs(keptBy.queue) do redis.call('HINCRBY', ARGV[2] .. 'kept', queue, by) end
  for cnpj, by in pairs(keptBy.cnpj) do
    local left = redis.call('HINCRBY', ARGV[2] .. 'kept-of', cnpj, by)
    if left <= 0 then redis.call('HDEL', ARGV[2] .. 'kept-of', cnpj) end
  end
end

-- Places the tenant behind those whose turn comes, unless it is among them.
local function standInRing(dest, cnpj)
  local ring = flowKeyOf('flows', dest)
  redis.call('ZADD', ring, 'NX', placeBehind(ring, 0), cnpj)
  redis.call('SADD', ARGV[2] .. 'flowing', dest)
  flowOf(dest).waits = true
end

local function keepBack(n, record, score)
  local key, standing = backlogKey(record), flowOf(record.destination).standing
  if redis.call('ZADD', key, 'NX', score, n) == 1 then
    countKept(record.queue, record.cnpj, 1)
    if not standing[record.cnpj] and redis.call('ZCARD', key) == 1 then standInRing(record.destination, record.cnpj) end
    standing[record.cnpj] = true
  end
  record.kept = 'flow'
end

local function leaveRing(dest, cnpj)
  local ring = flowKeyOf('flows', dest)
  redis.call('ZREM', ring, cnpj)
  flowOf(dest).standing[cnpj] = nil
  if redis.call('EXISTS', ring) == 1 then return end
  redis.call('SREM', ARGV[2] .. 'flowing', dest)
  flowOf(dest).waits = false
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
  if wasThere then countKept(record.queue, record.cnpj, -1) end
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

-- Gives a job out or keeps it back. True when it is out: the caller adds it to BullMQ. Else the caller writes `record.kept`.
local function giveOut(n, record, score)
  if not isFirst(n, record) then
    if not record.kept then countKept(record.queue, record.cnpj, 1) end
    record.kept = 'order'
    return false
  end
  local dest = record.destination
  local flow = flowOf(dest)
  if hasBacklog(flow) or outOf(flow) >= limitsOf(flow).room or gateAllows(dest, 1, outOf(flow)) < 1 then
    keepBack(n, record, score)
    return false
  end
  goOut(dest, { n })
  return true
end

-- As `giveOut`, and writes it.
local function admit(n, recordKey, record, score)
  if giveOut(n, record, score) then return true end
  redis.call('HSET', recordKey, 'kept', record.kept)
  return false
end

local function mayBeOut(record)
  return record.status == 'QUEUED' or record.status == 'RETRYING' or record.status == 'HELD'
end
