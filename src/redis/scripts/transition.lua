--[[
  The changes of jobs and destinations that are no part of the way that every job takes.

  KEYS, ARGV and OUTPUT: see changes.lua
]]
-- A job that BullMQ has let go, because it was not its turn, goes to the front of its backlog. Arguments: round, why it may not be
-- delivered (some reasons make it HELD), until when in ms.
-- {'ok', released} | {'refused', status}
local function keep(n, recordKey, record, args)
  if record.round ~= tonumber(args[1]) or not mayBeOut(record) then return { 'refused', record.status or 'MISSING' } end
  if isHolding(args[2]) then
    beHeld(n, recordKey, record, args[2], tonumber(args[3]))
  end
  comeIn(n, record.destination)
  if not record.kept then
    if isFirst(n, record) then keepBack(n, record, n) else giveOut(n, record, n) end
    redis.call('HSET', recordKey, 'kept', record.kept)
  end
  lookAtKept(n, record)
  release(record.destination, readPlace, give)
  return { 'ok', released }
end

-- Checks of `requeue` that need no write; nil when nothing speaks against it.
local function whyNotRequeue(record, round, maxRounds, gapMs)
  if round and record.round ~= round then return 'OTHER_ROUND' end
  if record.status == 'DISCARDED' then return 'DISCARDED' end
  if record.status ~= 'FAILED' and record.status ~= 'DELIVERED' and record.status ~= 'DELIVERING' then
    return not round and record.requeuedAt + gapMs > now and 'ALREADY_REQUEUED' or 'ALREADY_QUEUED'
  end
  if not round and record.requeuedAt + gapMs > now then return 'ALREADY_REQUEUED' end
  if record.round >= maxRounds then return 'REPROCESS_LIMIT' end
  return nil
end

-- FAILED or DELIVERED -> QUEUED of the next round. A report that overtakes the outcome of the attempt it is about is kept with
-- the record and counts when that attempt turns out delivered.
-- Arguments: round the caller saw ('' for any), what downstream reported ('' when nobody did), most rounds, ms within which a
-- second call without a round is taken for the same, who asked and why.
-- {'ok', queue, round, round before, released} | {'noted', queue} | {'refused', reason} | {'missing'}
local function requeue(n, recordKey, record, args)
  if not record.status then return { 'missing' } end
  local round, report = tonumber(args[1]), args[2]
  local why = whyNotRequeue(record, round, tonumber(args[3]), tonumber(args[4]))
  if why then return { 'refused', why } end
  local queue = record.queue
  if record.status == 'DELIVERING' then
    if report == '' then return { 'refused', 'DELIVERING' } end
    redis.call('HSET', recordKey, 'report', report, 'reportLimit', args[3], 'reportAudit', args[5])
    return { 'noted', queue }
  end
  beginRound(n, recordKey, record, report, args[5])
  return { 'ok', queue, record.round, record.round - 1, released }
end

-- Anything not finished and not in flight, or FAILED -> DISCARDED.
-- {'ok', queue, round, released} | {'refused', status} | {'missing'}
local function discard(n, recordKey, record)
  if not record.status then return { 'missing' } end
  if record.status == 'DELIVERED' or record.status == 'DISCARDED' or record.status == 'DELIVERING' then
    return { 'refused', record.status }
  end
  write(n, recordKey, record, 'DISCARDED', record.attempts)
  redis.call('HDEL', recordKey, 'nextAttemptAt')
  lookAt(n, graceMs)
  unkeep(n, recordKey, record)
  leavePlace(n, record.destination)
  letIn(n, record, true)
  return { 'ok', record.queue, record.round, released }
end

-- The same for what waits to be delivered, and not for what failed already.
local function discardWaiting(n, recordKey, record, args)
  if record.status == 'FAILED' then return { 'refused', record.status } end
  return discard(n, recordKey, record, args)
end

-- Brings back the record of a finished job from history, before `requeue` in the same call. Arguments: round, the record as name, value, … {'ok'} | {'exists'} | {'stale'}: history was read before a later round ended
local function restore(n, recordKey, record, args)
  if record.status then return { 'exists' } end
  local past = redis.call('GET', recordKey .. ':past')
  if past and past ~= args[1] then return { 'stale' } end
  redis.call('HSET', recordKey, unpack(args, 2))
  lookAt(n, graceMs)
  return { 'ok' }
end

-- For the sweeper, when a job's backlog or tenant should be there and may not be.
local function mendBacklog(n, record)
  redis.call('ZADD', backlogKey(record), 'NX', n, n)
  standInRing(record.destination, record.cnpj)
end

-- For the sweeper: whether the job is where its record says that it is kept back, and if not, it is again.
-- {'kept', released} | {'out'}: BullMQ should have it | {'past', status}
local function look(n, recordKey, record)
  if not mayBeOut(record) then return { 'past', record.status or 'MISSING' } end
  if not record.kept then return { 'out' } end
  if record.kept == 'order' then
    local first = redis.call('ZRANGE', lineKey(record), 0, 0)[1]
    local _, head = readPlace(first or n)
    if not mayBeOut(head) and head.status ~= 'DELIVERING' and head.status ~= 'RECEIVED' then leaveLine(first or n, record, readPlace) end
    if isFirst(n, record) then
      unkeep(n, recordKey, record)
      admitAnd(n, recordKey, record, n)
    end
  else
    mendBacklog(n, record)
    local deadline = deadlineOf(record)
    if deadline and now >= deadline then
      unkeep(n, recordKey, record)
      goOut(record.destination, { n })
      give({ { n, record } })
      return { 'kept', released }
    end
  end
  if record.kept then lookAtKept(n, record, now - tonumber(redis.call('HGET', recordKey, 'updatedAt') or now)) end
  return { 'kept', released }
end

-- Changes of a destination, which stands in the place of the number.
-- Gives out what there is room for. Arguments: what the caller knows of it, see rememberTerms. {'ok', released}
local function releaseNext(dest, args)
  rememberTerms(dest, args[1])
  release(dest, readPlace, give, true)
  return { 'ok', released }
end

-- Closes its breaker by hand. {'ok', released}
local function resetDestination(dest)
  resetGate(dest, now)
  release(dest, readPlace, give, true)
  return { 'ok', released }
end

-- What is counted as out and is not any more, because of a fault, would keep others back for ever. {'ok', released}
local function recount(dest)
  for _, n in ipairs(redis.call('SRANDMEMBER', flowKeyOf('out', dest), 1000)) do
    local _, record = readJob(n)
    local isOut = record.status == 'DELIVERING' or (mayBeOut(record) and not record.kept and record.nextAttemptAt <= now)
    if not isOut then comeIn(n, dest) end
  end
  release(dest, readPlace, give, true)
  return { 'ok', released }
end

return makeChanges(
  { keep = keep, requeue = requeue, discard = discard, discardWaiting = discardWaiting, restore = restore, look = look },
  { release = releaseNext, recount = recount, reset = resetDestination })
