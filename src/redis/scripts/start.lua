--[[
  An attempt begins, unless something speaks against it.

  KEYS, ARGV and OUTPUT: see changes.lua
]]
-- When a job asks again for which nothing better is known, and one that nobody else would ask for while its destination is held.
local busyMs, heldMs = 500, 5000
-- After so many bytes of bodies no further start goes with an answer: Redis serves nobody else meanwhile. And how many there are so far.
local mostBytes, bytes = 4194304, 0

-- Of a job all that is asked, and answered, when an attempt begins; the body alone is read later, because it may be large.
local function readToStart(n)
  local recordKey = jobPrefix .. n
  local values = redis.call('HMGET', recordKey, 'status', 'round', 'attempts', 'roundStart', 'owner', 'leaseUntil',
    'nextAttemptAt', 'requeuedAt', 'looks', 'about', 'kept', 'ordering', 'startedAt', 'slot', 'heldMs', 'correlation',
    'contentType', 'headers', 'firstAttemptAt', 'lost', 'late')
  local about = aboutOf(recordKey, values[10])
  local event, cnpj, destination, queue, receivedAt, type = partsOf(about)
  return recordKey, { status = values[1], round = tonumber(values[2] or 0), attempts = tonumber(values[3] or 0),
    roundStart = tonumber(values[4] or 0), owner = values[5], leaseUntil = tonumber(values[6] or 0),
    nextAttemptAt = tonumber(values[7] or 0), requeuedAt = tonumber(values[8] or 0), looks = tonumber(values[9] or 0),
    about = about, event = event, cnpj = cnpj, destination = destination, queue = queue,
    receivedAt = tonumber(receivedAt or now), type = type, kept = values[11], ordering = values[12],
    startedAt = tonumber(values[13] or now), slot = values[14], heldMs = values[15], firstAttemptAt = values[19],
    lost = values[20], late = values[21],
    -- In the order of `handFields` (events/transitions.ts).
    hand = { about, values[16], values[17], values[18], values[8] } }
end

-- How long it was held counts against no time that it has.
local function beHeldNoMore(recordKey, record)
  local since = tonumber(redis.call('HGET', recordKey, 'heldSince') or now)
  record.heldMs = redis.call('HINCRBY', recordKey, 'heldMs', int(math.max(0, now - since)))
  redis.call('HDEL', recordKey, 'heldUntil', 'heldWhy', 'heldSince')
end

-- A worker that never came back: its attempt counts, because it may have reached the destination.
local function recordLost(recordKey, record)
  -- What downstream reported of the lost attempt is answered by the one that follows.
  redis.call('HDEL', recordKey, 'report', 'reportLimit', 'reportAudit')
  record.lost = redis.call('HINCRBY', recordKey, 'lost', 1)
  local startedAt, none = record.startedAt, cjson.null
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
  local deadline = deadlineOf(record)
  if deadline and now >= deadline then
    -- It is not sent, so that nothing needs to keep it back.
    redis.call('HSET', recordKey, 'late', 1)
    record.late = 1
    return nil
  end
  local gate = gateAtStart(dest, n, recordKey, leaseMs, now)
  if gate and gate[1] == 'hold' then return { 'back', gate[3], gate[2] } end
  return gate
end

-- QUEUED, HELD, RETRYING that is due, or DELIVERING whose lease ran out -> DELIVERING. Arguments: round, owner, lease in ms, what
-- the caller knows of the destination (see rememberTerms).
-- A repeat by the same owner renews the lease. A start is known by its number among all starts of the job, which only grows.
-- {'ok', attempt, attempt within the round, number of the start, body, looks, first attempt at, lost, late, held ms, ordering,
-- further fields of the record} (see `Begun` in events/transitions.ts) | {'wait', until} |
-- {'back', why, until}: its turn is not now, so BullMQ lets it go, and then `keep` follows | {'refused', status} |
-- {'again'}: nothing was done, the bodies of the starts before it are enough for one answer
local function start(n, recordKey, record, args)
  local round, owner, leaseMs = tonumber(args[1]), args[2], tonumber(args[3])
  if bytes >= mostBytes then return { 'again' } end
  local function started(attempt)
    takePlace(n, record.destination, now + leaseMs)
    local body = redis.call('HGET', recordKey, 'body') or ''
    bytes = bytes + #body
    return { 'ok', attempt, attempt - record.roundStart, attempt + record.looks, body, record.looks, record.firstAttemptAt,
      record.lost, record.late, record.heldMs, record.ordering, record.hand }
  end
  if not record.status then return { 'refused', 'MISSING' } end
  if record.round ~= round then return { 'refused', 'OTHER_ROUND' } end
  rememberTerms(record.destination, args[4])
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
  local isFirstAttempt = record.attempts == record.roundStart
  local fields = { 'attempts', int(attempt), 'owner', owner, 'leaseUntil', int(now + leaseMs), 'startedAt', int(now) }
  if isFirstAttempt then
    record.firstAttemptAt = now
    append(fields, 'firstAttemptAt', int(now))
  end
  write(n, recordKey, record, 'DELIVERING', attempt, unpack(fields))
  if record.nextAttemptAt > 0 or record.slot then redis.call('HDEL', recordKey, 'nextAttemptAt', 'slot') end
  if record.status == 'HELD' then beHeldNoMore(recordKey, record) end
  -- For how long it was held before its first attempt is no part of the time since.
  if isFirstAttempt and record.heldMs then
    redis.call('HDEL', recordKey, 'heldMs')
    record.heldMs = false
  end
  return started(attempt)
end

return makeChanges({ start = start }, nil, true, readToStart)
