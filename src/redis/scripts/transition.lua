--[[
  The only writer of job records after the accept script: checks that a change fits, writes it, appends it to the journal.
  Every change may be asked for twice (a lost answer, a second worker): the repeat is answered and changes nothing.

  KEYS
    1 journal  2 due
  ARGV
    1 job prefix  2 prefix of the keys of gates and flows  3 ms until the sweeper looks whether a job is where its record says
    4 number of changes, then for each: name, n, number of arguments, arguments
  OUTPUT
    an array with one entry a change, see each function. Where it ends with jobs that were released, the caller adds them to BullMQ
]]
local journalKey, dueKey = KEYS[1], KEYS[2]
local jobPrefix, graceMs = ARGV[1], tonumber(ARGV[3])
local now = nowMs()
-- When a job asks again for which nothing better is known, and one that nobody else would ask for while its destination is held.
local busyMs, heldMs = 500, 5000

local function read(recordKey)
  local values = redis.call('HMGET', recordKey, 'status', 'round', 'attempts', 'roundStart', 'owner', 'leaseUntil',
    'nextAttemptAt', 'requeuedAt', 'finished', 'report', 'looks', 'destination', 'cnpj', 'queue', 'kept', 'ordering')
  return { status = values[1], round = tonumber(values[2]), attempts = tonumber(values[3]), roundStart = tonumber(values[4]),
    owner = values[5], leaseUntil = tonumber(values[6] or 0), nextAttemptAt = tonumber(values[7] or 0),
    requeuedAt = tonumber(values[8] or 0), finished = tonumber(values[9] or 0), report = values[10],
    looks = tonumber(values[11] or 0), destination = values[12], cnpj = values[13], queue = values[14], kept = values[15],
    ordering = values[16] }
end

local function readJob(n)
  local recordKey = jobPrefix .. n
  return recordKey, read(recordKey)
end

local function lookAt(n, inMs)
  redis.call('ZADD', dueKey, int(now + inMs), n)
end

-- What the change in hand has let go, as number, round, queue, destination, …: the caller adds it to BullMQ. Should it not, the sweeper
-- finds it.
local released = {}
local function give(n, record)
  for _, value in ipairs({ tonumber(n), record.round, record.queue, record.destination }) do
    released[#released + 1] = value
  end
  lookAt(n, graceMs)
end

-- When a job is given up, whatever keeps it back; nil when never.
local function deadlineOf(recordKey, record)
  local deadline = readGate(record.destination, now).deadline
  if deadline == 0 then return nil end
  local since = record.requeuedAt > 0 and record.requeuedAt or tonumber(redis.call('HGET', recordKey, 'receivedAt') or now)
  return since + deadline
end

-- A job that is kept back waits for long, in a place that the same call put it into: it is looked at the less often the longer it has
-- been so, but in time to be given up.
local function lookAtKept(n, recordKey, record, keptMs)
  local inMs, deadline = math.max(20 * graceMs, (keptMs or 0) / 2), deadlineOf(recordKey, record)
  lookAt(n, deadline and math.min(inMs, math.max(deadline - now, graceMs)) or inMs)
end

local function admitAnd(n, recordKey, record, score)
  if admit(n, recordKey, record, score) then give(n, record) else lookAtKept(n, recordKey, record) end
end

-- A job is out no longer: makes room for the next ones.
local function letIn(n, record, hasLeftLine)
  local dest = record.destination
  comeIn(n, dest)
  redis.call('ZREM', flowKeyOf('active', dest), n)
  if hasLeftLine then
    local first, firstKey, next = leaveLine(n, record, readJob)
    if first then
      unkeep(first, firstKey, next)
      admitAnd(first, firstKey, next, first)
    end
  end
  release(dest, readJob, give)
end

-- Whether this keeps a job from its destination for as long as that lasts: the rest passes by itself.
local function isHolding(why)
  return why ~= 'BUSY' and why ~= 'ORDER' and why ~= 'RATE'
end

local function beHeld(recordKey, why, untilMs)
  redis.call('HSET', recordKey, 'status', 'HELD', 'heldWhy', why, 'heldUntil', int(untilMs))
  redis.call('HSETNX', recordKey, 'heldSince', int(now))
end

-- How long it was held counts against no time that it has.
local function beHeldNoMore(recordKey)
  local since = tonumber(redis.call('HGET', recordKey, 'heldSince') or now)
  redis.call('HINCRBY', recordKey, 'heldMs', int(math.max(0, now - since)))
  redis.call('HDEL', recordKey, 'heldUntil', 'heldWhy', 'heldSince')
end

-- RECEIVED -> QUEUED, or HELD while nothing is delivered to its destination.
-- {'ok', queue, round, destination}: is to be added | {'again', …}: queued already, adding it once more is harmless | {'kept'} |
-- {'past', status}
local function enqueue(n, recordKey, record)
  if not record.status then return { 'past', 'MISSING' } end
  if record.status == 'QUEUED' or record.status == 'HELD' then
    if record.kept then return { 'kept' } end
    return { 'again', record.queue, record.round, record.destination }
  end
  if record.status ~= 'RECEIVED' then return { 'past', record.status } end
  local why, untilMs = gateShut(record.destination, now)
  if why then beHeld(recordKey, why, untilMs) else redis.call('HSET', recordKey, 'status', 'QUEUED') end
  journal(journalKey, recordKey, n, 'RECEIVED', now)
  if not admit(n, recordKey, record, n) then
    lookAtKept(n, recordKey, record)
    return { 'kept' }
  end
  lookAt(n, graceMs)
  return { 'ok', record.queue, record.round, record.destination }
end

-- A worker that never came back: its attempt counts, because it may have reached the destination.
local function recordLost(recordKey, record)
  -- What downstream reported of the lost attempt is answered by the one that follows.
  redis.call('HDEL', recordKey, 'report', 'reportLimit', 'reportAudit')
  record.report = false
  redis.call('HINCRBY', recordKey, 'lost', 1)
  local startedAt, none = tonumber(redis.call('HGET', recordKey, 'startedAt')), cjson.null
  redis.call('RPUSH', recordKey .. ':attempts', cjson.encode({
    number = record.attempts, round = record.round, startedAt = startedAt, outcome = 'LOST', statusCode = none,
    error = 'WORKER_LOST: the worker stopped before it could record the outcome',
    requestHeaders = { ['x-gancho-attempt'] = int(record.attempts) }, responseHeaders = none, responseBody = none,
    timing = { dnsMs = none, connectMs = none, tlsMs = none, firstByteMs = none, totalMs = now - startedAt,
      socketReused = none } }))
end

-- Why an attempt may not begin: {'wait', until} | {'back', why, until}, see `keep`; nil when it may.
local function whyNotStart(n, recordKey, record, leaseMs)
  local dest = record.destination
  if not isFirst(n, record) then return { 'back', 'ORDER', 0 } end
  if isBusy(n, dest, now) then return { 'back', 'BUSY', 0 } end
  local deadline = deadlineOf(recordKey, record)
  if deadline and now >= deadline then
    -- It is not sent, so that nothing needs to keep it back.
    redis.call('HSET', recordKey, 'late', 1)
    return nil
  end
  local gate = gateAtStart(dest, n, recordKey, leaseMs, now)
  if gate and gate[1] == 'hold' then return { 'back', gate[3], gate[2] } end
  return gate
end

-- QUEUED, HELD, RETRYING that is due, or DELIVERING whose lease ran out -> DELIVERING. Arguments: round, owner, lease in ms, then what
-- the caller knows of the destination as name, value, …
-- A repeat by the same owner renews the lease. A start is known by its number among all starts of the job, which only grows.
-- {'ok', attempt, attempt within the round, number of the start, record as name, value, …} | {'wait', until} |
-- {'back', why, until}: its turn is not now, so BullMQ lets it go, and then `keep` follows | {'refused', status}
local function start(n, recordKey, record, args)
  local round, owner, leaseMs = tonumber(args[1]), args[2], tonumber(args[3])
  local function started(attempt)
    takePlace(n, record.destination, now + leaseMs)
    return { 'ok', attempt, attempt - record.roundStart, attempt + record.looks, redis.call('HGETALL', recordKey) }
  end
  if not record.status then return { 'refused', 'MISSING' } end
  if record.round ~= round then return { 'refused', 'OTHER_ROUND' } end
  rememberTerms(record.destination, args, 4)
  if record.status == 'DELIVERING' then
    if record.owner == owner then
      redis.call('HSET', recordKey, 'leaseUntil', int(now + leaseMs))
      extendProbe(record.destination, n, leaseMs, now)
      return started(record.attempts)
    end
    if record.leaseUntil > now then return { 'wait', record.leaseUntil } end
  elseif record.status == 'RETRYING' then
    if record.nextAttemptAt > now then return { 'wait', record.nextAttemptAt } end
  elseif record.status ~= 'QUEUED' and record.status ~= 'HELD' then
    return { 'refused', record.status }
  end
  local whyNot = whyNotStart(n, recordKey, record, leaseMs)
  if whyNot then
    -- What its lost worker did is recorded when the next one begins.
    if whyNot[1] == 'back' and record.status == 'DELIVERING' then
      return { 'wait', now + (isHolding(whyNot[2]) and heldMs or busyMs) }
    end
    return whyNot
  end
  if record.status == 'DELIVERING' then recordLost(recordKey, record) end
  unkeep(n, recordKey, record)
  local attempt = record.attempts + 1
  redis.call('HSET', recordKey, 'status', 'DELIVERING', 'attempts', attempt, 'owner', owner,
    'leaseUntil', int(now + leaseMs), 'startedAt', int(now))
  redis.call('HDEL', recordKey, 'nextAttemptAt', 'slot')
  if record.status == 'HELD' then beHeldNoMore(recordKey) end
  if record.attempts == record.roundStart then
    redis.call('HSET', recordKey, 'firstAttemptAt', int(now))
    -- For how long it was held before that is no part of the time since.
    redis.call('HDEL', recordKey, 'heldMs')
  end
  journal(journalKey, recordKey, n, record.status, now)
  return started(attempt)
end

-- A job that BullMQ has let go, because it was not its turn, goes to the front of its backlog. Arguments: round, why it may not be
-- delivered (some reasons make it HELD), until when in ms.
-- {'ok', released} | {'refused', status}
local function keep(n, recordKey, record, args)
  if record.round ~= tonumber(args[1]) or not mayBeOut(record) then return { 'refused', record.status or 'MISSING' } end
  if isHolding(args[2]) then
    beHeld(recordKey, args[2], tonumber(args[3]))
    if record.status ~= 'HELD' then journal(journalKey, recordKey, n, record.status, now) end
  end
  comeIn(n, record.destination)
  if not record.kept then
    if isFirst(n, record) then keepBack(n, recordKey, record, n) else admit(n, recordKey, record, n) end
  end
  lookAtKept(n, recordKey, record)
  release(record.destination, readJob, give)
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

-- `audit`: who asked and why, as JSON. Rounds are kept a line each: round, ms, how the one before ended, audit.
local function beginRound(n, recordKey, record, report, audit)
  local rounds = redis.call('HGET', recordKey, 'rounds') or ''
  local line = table.concat({ int(record.round + 1), int(now), record.status, audit }, ' ') .. '\n'
  redis.call('HSET', recordKey, 'status', 'QUEUED', 'round', record.round + 1, 'roundStart', record.attempts,
    'requeuedAt', int(now), 'reported', report, 'rounds', rounds .. line)
  redis.call('HDEL', recordKey, 'failure', 'report', 'deliveredAt', 'nextAttemptAt', 'lost', 'heldMs', 'late')
  journal(journalKey, recordKey, n, record.status, now)
  record.status, record.round = 'QUEUED', record.round + 1
  local newest = tonumber(redis.call('GET', ARGV[2] .. 'seq') or n)
  if record.ordering then redis.call('ZADD', lineKey(record), placeBehind(lineKey(record), newest + 0.5), n) end
  admitAnd(n, recordKey, record, placeBehind(backlogKey(record), newest + 0.5))
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

-- DELIVERING -> DELIVERED, RETRYING, HELD or FAILED. Arguments: number of the start, new status, delay in ms ('' unless RETRYING),
-- failure ('' unless FAILED), attempt record ('' when nothing was sent), '1' when the attempt does not count against the round's, what the outcome tells of the destination: 'ok', 'fault' or 'none'.
-- {'ok', status, round, next attempt at or 0, released} | {'same', …}: done before | {'refused', status}
local function finish(n, recordKey, record, args)
  local startNumber, status = tonumber(args[1]), args[2]
  if not record.status then return { 'refused', 'MISSING' } end
  if record.finished == startNumber then return { 'same', record.status, record.round, record.nextAttemptAt } end
  if record.status ~= 'DELIVERING' or record.attempts + record.looks ~= startNumber then return { 'refused', record.status } end
  local nextAttemptAt = status == 'RETRYING' and now + tonumber(args[3]) or 0
  local startedAt = tonumber(redis.call('HGET', recordKey, 'startedAt') or now)
  -- Deleting first lets a full Redis take the rest of the script: an outcome is recorded whenever Redis answers.
  redis.call('HDEL', recordKey, 'owner', 'leaseUntil', 'startedAt', 'report')
  redis.call('HSET', recordKey, 'status', status, 'finished', startNumber)
  if status == 'RETRYING' then redis.call('HSET', recordKey, 'nextAttemptAt', int(nextAttemptAt)) end
  if status == 'DELIVERED' then redis.call('HSET', recordKey, 'deliveredAt', int(now)) end
  if args[4] ~= '' then redis.call('HSET', recordKey, 'failure', args[4]) end
  if args[5] ~= '' then redis.call('RPUSH', recordKey .. ':attempts', args[5]) end
  if args[6] == '1' and args[5] == '' then
    -- Nothing was sent: the next attempt has this one's number.
    redis.call('HSET', recordKey, 'attempts', record.attempts - 1, 'looks', record.looks + 1)
  elseif args[6] == '1' then
    redis.call('HINCRBY', recordKey, 'roundStart', 1)
  end
  journal(journalKey, recordKey, n, 'DELIVERING', now)
  lookAt(n, math.max(nextAttemptAt - now, 0) + graceMs)
  if status == 'FAILED' then tellOfFailure(n, recordKey, args[4], now) end
  gateAtFinish(record.destination, n, args[7], startedAt, now)
  letIn(n, record, status == 'DELIVERED' or status == 'FAILED')
  local limit = record.report and tonumber(redis.call('HGET', recordKey, 'reportLimit'))
  if limit and status == 'DELIVERED' and record.round < limit then
    record.status = 'DELIVERED'
    beginRound(n, recordKey, record, record.report, redis.call('HGET', recordKey, 'reportAudit'))
    return { 'ok', 'QUEUED', record.round, 0, released }
  end
  return { 'ok', status, record.round, nextAttemptAt, released }
end

-- Anything not finished and not in flight, or FAILED -> DISCARDED.
-- {'ok', queue, round, released} | {'refused', status} | {'missing'}
local function discard(n, recordKey, record)
  if not record.status then return { 'missing' } end
  if record.status == 'DELIVERED' or record.status == 'DISCARDED' or record.status == 'DELIVERING' then
    return { 'refused', record.status }
  end
  redis.call('HSET', recordKey, 'status', 'DISCARDED')
  redis.call('HDEL', recordKey, 'nextAttemptAt')
  journal(journalKey, recordKey, n, record.status, now)
  lookAt(n, graceMs)
  unkeep(n, recordKey, record)
  letIn(n, record, true)
  return { 'ok', record.queue, record.round, released }
end

-- The same for what waits to be delivered, and not for what failed already.
local function discardWaiting(n, recordKey, record, args)
  if record.status == 'FAILED' then return { 'refused', record.status } end
  return discard(n, recordKey, record, args)
end

-- Nothing is left to mend: the error queue holds the entry of this round, or there is no record at all. Arguments: round. {'ok'}
local function settle(n, recordKey, record, args)
  local rests = record.status == 'FAILED' and record.round == tonumber(args[1])
  if rests or not record.status then redis.call('ZREM', dueKey, n) end
  return { 'ok' }
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

-- For the sweeper: whether the job is where its record says that it is kept back, and if not, it is again.
-- {'kept', released} | {'out'}: BullMQ should have it | {'past', status}
local function look(n, recordKey, record)
  if not mayBeOut(record) then return { 'past', record.status or 'MISSING' } end
  if not record.kept then return { 'out' } end
  if record.kept == 'order' then
    local first = redis.call('ZRANGE', lineKey(record), 0, 0)[1]
    local _, head = readJob(first or n)
    if not mayBeOut(head) and head.status ~= 'DELIVERING' and head.status ~= 'RECEIVED' then leaveLine(first or n, record, readJob) end
    if isFirst(n, record) then
      unkeep(n, recordKey, record)
      admitAnd(n, recordKey, record, n)
    end
  else
    mendBacklog(n, record)
    local deadline = deadlineOf(recordKey, record)
    if deadline and now >= deadline then
      unkeep(n, recordKey, record)
      goOut(n, record.destination)
      give(n, record)
      return { 'kept', released }
    end
  end
  if record.kept then lookAtKept(n, recordKey, record, now - tonumber(redis.call('HGET', recordKey, 'updatedAt') or now)) end
  return { 'kept', released }
end

-- Changes of a destination, which stands in the place of the number.
-- Gives out what there is room for. Arguments: what the caller knows of it as name, value, … {'ok', released}
local function releaseNext(dest, args)
  rememberTerms(dest, args, 1)
  release(dest, readJob, give, true)
  return { 'ok', released }
end

-- Closes its breaker by hand. {'ok', released}
local function resetDestination(dest)
  resetGate(dest, now)
  release(dest, readJob, give, true)
  return { 'ok', released }
end

-- What is counted as out and is not any more, because of a fault, would keep others back for ever. {'ok', released}
local function recount(dest)
  for _, n in ipairs(redis.call('SRANDMEMBER', flowKeyOf('out', dest), 1000)) do
    local _, record = readJob(n)
    local isOut = record.status == 'DELIVERING' or (mayBeOut(record) and not record.kept and record.nextAttemptAt <= now)
    if not isOut then comeIn(n, dest) end
  end
  release(dest, readJob, give, true)
  return { 'ok', released }
end

local changes = { enqueue = enqueue, start = start, keep = keep, finish = finish, requeue = requeue, discard = discard,
  discardWaiting = discardWaiting, settle = settle, restore = restore, look = look }
local changesOfDestination = { release = releaseNext, recount = recount, reset = resetDestination }
local answers, at = {}, 4
for c = 1, tonumber(ARGV[4]) do
  local name, n, count = ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local args = {}
  for a = 1, count do args[a] = ARGV[at + 3 + a] end
  at = at + 3 + count
  released = {}
  if changesOfDestination[name] then
    answers[c] = changesOfDestination[name](n, args)
  else
    local recordKey, record = readJob(n)
    answers[c] = changes[name](n, recordKey, record, args)
  end
end
return answers
