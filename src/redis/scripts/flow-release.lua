--[[
  Which jobs are let go when there is room; put in front of the scripts that make some, after `flow`.
]]
local function numbersOf(jobs)
  local ns = {}
  for i, job in ipairs(jobs) do ns[i] = job[1] end
  return ns
end

-- The next jobs in turn as {number, record}: one, or up to `most` where a tenant waits alone. Numbers that nothing stands behind any more,
-- or nothing that can be read, are passed over.
local function takeNext(dest, most, readPlace)
  local ring = flowKeyOf('flows', dest)
  local cnpj, other = unpack(redis.call('ZRANGE', ring, 0, 1))
  local key = flowKeyOf('backlog', dest) .. ':' .. cnpj
  local popped = redis.call('ZPOPMIN', key, other and 1 or most)
  if redis.call('EXISTS', key) == 0 then
    leaveRing(dest, cnpj)
  elseif other then
    redis.call('ZADD', ring, placeBehind(ring, 0), cnpj)
  end
  local taken, counts = {}, {}
  for i = 1, #popped, 2 do
    local n = popped[i]
    local isRead, recordKey, record = pcall(readPlace, n)
    if isRead then
      if record.status then counts[record.queue] = (counts[record.queue] or 0) + 1 end
      if record.kept then redis.call('HDEL', recordKey, 'kept') end
      if record.kept == 'flow' and mayBeOut(record) then taken[#taken + 1] = { n, record } end
    end
  end
  for queue, count in pairs(counts) do countKept(queue, cnpj, -count) end
  return taken
end

-- Of one call: Lua hands no more than some thousands of values on.
local mostTogether = 500

-- Gives out what there is room for, from when few are out, or from when any may be with `eager`. Calls `give(jobs)`, each {number, record}.
local function release(dest, readPlace, give, eager)
  local flow = flowOf(dest)
  if not hasBacklog(flow) then return end
  local out, limits = outOf(flow), limitsOf(flow)
  if out >= limits.room or (out > limits.low and not eager) then return end
  local wanted = gateAllows(dest, limits.room - out, out)
  while wanted > 0 and hasBacklog(flow) do
    local jobs = takeNext(dest, math.min(wanted, mostTogether), readPlace)
    if #jobs > 0 then
      goOut(dest, numbersOf(jobs))
      give(jobs)
      wanted = wanted - #jobs
    end
  end
end

-- The job's turn in its line is over. Gives the one that comes next and waits for that, as number, key of its record and record.
local function leaveLine(n, record, readPlace)
  if not record.ordering then return nil end
  local key = lineKey(record)
  redis.call('ZREM', key, n)
  while true do
    local first = redis.call('ZRANGE', key, 0, 0)[1]
    if not first then return nil end
    local recordKey, next = readPlace(first)
    local isOver = not next.status or next.status == 'DELIVERED' or next.status == 'FAILED' or next.status == 'DISCARDED'
    if not isOver then
      if next.kept == 'order' then return first, recordKey, next end
      return nil
    end
    redis.call('ZREM', key, first)
  end
end
