--[[
  Which jobs are let go when there is room; put in front of the scripts that make some, after `flow`.
]]
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
