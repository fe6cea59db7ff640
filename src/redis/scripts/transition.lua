--[[
  The only writer of job records after the accept script: checks that a change fits, writes it, appends it to the journal.
  Every change may be asked for twice (a lost answer, a second worker): the repeat is answered and changes nothing.

  KEYS
    1 journal  2 due
  ARGV
    1 job prefix  2 prefix of the keys of gates and flows  3 number of changes, then for each: name, n, number of arguments, arguments
  OUTPUT
    an array with one entry a change, see each function
]]
local journalKey, dueKey = KEYS[1], KEYS[2]
local jobPrefix = ARGV[1]
local now = nowMs()

local function read(recordKey)
  local values = redis.call('HMGET', recordKey, 'status', 'round', 'attempts', 'roundStart', 'owner', 'leaseUntil',
    'nextAttemptAt', 'requeuedAt', 'finished', 'report', 'looks', 'destination')
  return { status = values[1], round = tonumber(values[2]), attempts = tonumber(values[3]), roundStart = tonumber(values[4]),
    owner = values[5], leaseUntil = tonumber(values[6] or 0), nextAttemptAt = tonumber(values[7] or 0),
    requeuedAt = tonumber(values[8] or 0), finished = tonumber(values[9] or 0), report = values[10],
    looks = tonumber(values[11] or 0), destination = values[12] }
end

local function lookAt(n, inMs)
  redis.call('ZADD', dueKey, int(now + inMs), n)
end

-- RECEIVED -> QUEUED. Arguments: ms until the sweeper looks.
-- {'ok', queue, round} | {'again', queue, round}: queued already, adding it once more is harmless | {'past', status}
local function enqueue(n, recordKey, record, args)
  if not record.status then return { 'past', 'MISSING' } end
  local queue = redis.call('HGET', recordKey, 'queue')
  if record.status == 'QUEUED' then return { 'again', queue, record.round } end
  if record.status ~= 'RECEIVED' then return { 'past', record.status } end
  redis.call('HSET', recordKey, 'status', 'QUEUED')
  journal(journalKey, recordKey, n, 'RECEIVED', now)
  lookAt(n, tonumber(args[1]))
  return { 'ok', queue, record.round }
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

-- QUEUED, HELD, RETRYING that is due, or DELIVERING whose lease ran out -> DELIVERING. Arguments: round, owner, lease in ms, then what
-- the caller knows of the destination as name, value, …
-- A repeat by the same owner renews the lease. A start is known by its number among all starts of the job, which only grows.
-- {'ok', attempt, attempt within the round, number of the start, record as name, value, …} | {'wait', until} | {'refused', status}
local function start(n, recordKey, record, args)
  local round, owner, leaseMs = tonumber(args[1]), args[2], tonumber(args[3])
  local function started(attempt)
    return { 'ok', attempt, attempt - record.roundStart, attempt + record.looks, redis.call('HGETALL', recordKey) }
  end
  if not record.status then return { 'refused', 'MISSING' } end
  if record.round ~= round then return { 'refused', 'OTHER_ROUND' } end
  rememberTerms(record.destination, args, 4)
  if record.status == 'DELIVERING' then
    if record.owner == owner then
      redis.call('HSET', recordKey, 'leaseUntil', int(now + leaseMs))
      return started(record.attempts)
    end
    if record.leaseUntil > now then return { 'wait', record.leaseUntil } end
    recordLost(recordKey, record)
  elseif record.status == 'RETRYING' then
    if record.nextAttemptAt > now then return { 'wait', record.nextAttemptAt } end
  elseif record.status ~= 'QUEUED' and record.status ~= 'HELD' then
    return { 'refused', record.status }
  end
  local attempt = record.attempts + 1
  redis.call('HSET', recordKey, 'status', 'DELIVERING', 'attempts', attempt, 'owner', owner,
    'leaseUntil', int(now + leaseMs), 'startedAt', int(now))
  redis.call('HDEL', recordKey, 'nextAttemptAt')
  if record.attempts == record.roundStart then redis.call('HSET', recordKey, 'firstAttemptAt', int(now)) end
  journal(journalKey, recordKey, n, record.status, now)
  return started(attempt)
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
local function beginRound(n, recordKey, record, report, graceMs, audit)
  local rounds = redis.call('HGET', recordKey, 'rounds') or ''
  local line = table.concat({ int(record.round + 1), int(now), record.status, audit }, ' ') .. '\n'
  redis.call('HSET', recordKey, 'status', 'QUEUED', 'round', record.round + 1, 'roundStart', record.attempts,
    'requeuedAt', int(now), 'reported', report, 'rounds', rounds .. line)
  redis.call('HDEL', recordKey, 'failure', 'report', 'deliveredAt', 'nextAttemptAt', 'lost')
  journal(journalKey, recordKey, n, record.status, now)
  lookAt(n, graceMs)
end

-- FAILED or DELIVERED -> QUEUED of the next round. A report that overtakes the outcome of the attempt it is about is kept with
-- the record and counts when that attempt turns out delivered.
-- Arguments: round the caller saw ('' for any), what downstream reported ('' when nobody did), most rounds, ms within which a
-- second call without a round is taken for the same, ms until the sweeper looks, who asked and why.
-- {'ok', queue, round, round before} | {'noted', queue} | {'refused', reason} | {'missing'}
local function requeue(n, recordKey, record, args)
  if not record.status then return { 'missing' } end
  local round, report = tonumber(args[1]), args[2]
  local why = whyNotRequeue(record, round, tonumber(args[3]), tonumber(args[4]))
  if why then return { 'refused', why } end
  local queue = redis.call('HGET', recordKey, 'queue')
  if record.status == 'DELIVERING' then
    if report == '' then return { 'refused', 'DELIVERING' } end
    redis.call('HSET', recordKey, 'report', report, 'reportLimit', args[3], 'reportAudit', args[6])
    return { 'noted', queue }
  end
  beginRound(n, recordKey, record, report, tonumber(args[5]), args[6])
  return { 'ok', queue, record.round + 1, record.round }
end

-- DELIVERING -> DELIVERED, RETRYING, HELD or FAILED. Arguments: number of the start, new status, delay in ms ('' unless RETRYING),
-- failure ('' unless FAILED), attempt record ('' when nothing was sent), ms until the sweeper looks, '1' when the attempt does not
-- count against the round's, what the outcome tells of the destination: 'ok', 'fault' or 'none'.
-- {'ok', status, round, next attempt at or 0} | {'same', …}: done before | {'refused', status}
local function finish(n, recordKey, record, args)
  local startNumber, status, graceMs = tonumber(args[1]), args[2], tonumber(args[6])
  if not record.status then return { 'refused', 'MISSING' } end
  if record.finished == startNumber then return { 'same', record.status, record.round, record.nextAttemptAt } end
  if record.status ~= 'DELIVERING' or record.attempts + record.looks ~= startNumber then return { 'refused', record.status } end
  local nextAttemptAt = status == 'RETRYING' and now + tonumber(args[3]) or 0
  -- Deleting first lets a full Redis take the rest of the script: an outcome is recorded whenever Redis answers.
  redis.call('HDEL', recordKey, 'owner', 'leaseUntil', 'startedAt', 'report')
  redis.call('HSET', recordKey, 'status', status, 'finished', startNumber)
  if status == 'RETRYING' then redis.call('HSET', recordKey, 'nextAttemptAt', int(nextAttemptAt)) end
  if status == 'DELIVERED' then redis.call('HSET', recordKey, 'deliveredAt', int(now)) end
  if args[4] ~= '' then redis.call('HSET', recordKey, 'failure', args[4]) end
  if args[5] ~= '' then redis.call('RPUSH', recordKey .. ':attempts', args[5]) end
  if args[7] == '1' and args[5] == '' then
    -- Nothing was sent: the next attempt has this one's number.
    redis.call('HSET', recordKey, 'attempts', record.attempts - 1, 'looks', record.looks + 1)
  elseif args[7] == '1' then
    redis.call('HINCRBY', recordKey, 'roundStart', 1)
  end
  journal(journalKey, recordKey, n, 'DELIVERING', now)
  lookAt(n, math.max(nextAttemptAt - now, 0) + graceMs)
  gateAtFinish(record.destination, args[8])
  local limit = record.report and tonumber(redis.call('HGET', recordKey, 'reportLimit'))
  if limit and status == 'DELIVERED' and record.round < limit then
    record.status = 'DELIVERED'
    beginRound(n, recordKey, record, record.report, graceMs, redis.call('HGET', recordKey, 'reportAudit'))
    return { 'ok', 'QUEUED', record.round + 1, 0 }
  end
  return { 'ok', status, record.round, nextAttemptAt }
end

-- Anything not finished and not in flight, or FAILED -> DISCARDED. Arguments: ms until the sweeper looks.
-- {'ok', queue, round} | {'refused', status} | {'missing'}
local function discard(n, recordKey, record, args)
  if not record.status then return { 'missing' } end
  if record.status == 'DELIVERED' or record.status == 'DISCARDED' or record.status == 'DELIVERING' then
    return { 'refused', record.status }
  end
  redis.call('HSET', recordKey, 'status', 'DISCARDED')
  redis.call('HDEL', recordKey, 'nextAttemptAt')
  journal(journalKey, recordKey, n, record.status, now)
  lookAt(n, tonumber(args[1]))
  return { 'ok', redis.call('HGET', recordKey, 'queue'), record.round }
end

-- Nothing is left to mend: the error queue holds the entry of this round, or there is no record at all. Arguments: round. {'ok'}
local function settle(n, recordKey, record, args)
  local rests = record.status == 'FAILED' and record.round == tonumber(args[1])
  if rests or not record.status then redis.call('ZREM', dueKey, n) end
  return { 'ok' }
end

-- Brings back the record of a finished job from history, before `requeue` in the same call. Arguments: round, ms until the
-- sweeper looks, the record as name, value, … {'ok'} | {'exists'} | {'stale'}: history was read before a later round ended
local function restore(n, recordKey, record, args)
  if record.status then return { 'exists' } end
  local past = redis.call('GET', recordKey .. ':past')
  if past and past ~= args[1] then return { 'stale' } end
  redis.call('HSET', recordKey, unpack(args, 3))
  lookAt(n, tonumber(args[2]))
  return { 'ok' }
end

local changes = { enqueue = enqueue, start = start, finish = finish, requeue = requeue, discard = discard, settle = settle,
  restore = restore }
local answers, at = {}, 3
for c = 1, tonumber(ARGV[3]) do
  local name, n, count = ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local args = {}
  for a = 1, count do args[a] = ARGV[at + 3 + a] end
  at = at + 3 + count
  local recordKey = jobPrefix .. n
  answers[c] = changes[name](n, recordKey, read(recordKey), args)
end
return answers
