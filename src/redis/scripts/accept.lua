--[[
  Numbers events and makes them durable: record, inbox entry and journal entry of every job, all or nothing.

  KEYS
    1 seq  2 epoch  3 inbox  4 journal
  ARGV
    1 expected epoch  2 highest number of inbox entries  3 job prefix  4 idempotency prefix  5 idempotency TTL in s
    6 rate prefix  7 highest number that the caller was given  8 number of events, then for each event:
      cnpj, rate in thousandths of an event a second ('' for no limit), burst, event id, idempotency key hash ('' for none),
      hash of the body, type, correlation id, content type, headers, body, number of destinations, then for each destination:
      its id, its queue
  OUTPUT
    'EPOCH' when this is another data set than expected, or an older state of it, else an array with one entry an event:
      {'accepted', event id, first number, number of jobs, <rest>}
      {'repeated', event id, first number, number of jobs, <rest>}   same key, same body: the first answer again, at no cost
      {'conflict'}                                                   same key, another body
      {'limited', ms until it fits, <rest>}                          the tenant's rate is spent
      {'full'}                                                       the inbox is at its limit
    <rest> is there for events with a rate: whole events that fit now, ms until nothing of the burst is spent
]]
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'EPOCH' end
if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[7]) then return 'EPOCH' end

local seqKey, inboxKey, journalKey = KEYS[1], KEYS[3], KEYS[4]
local limit, jobPrefix, idempotencyPrefix, ttl, ratePrefix = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local backlog = redis.call('XLEN', inboxKey)
local now = nowMs()
local at = 8

local function next()
  at = at + 1
  return ARGV[at]
end

local function readEvent()
  local event = { cnpj = next(), rate = tonumber(next()), burst = tonumber(next()), id = next(), key = next(), bodyHash = next(),
    type = next(), correlation = next(), contentType = next(), headers = next(), body = next(), destinations = {} }
  for d = 1, tonumber(next()) do event.destinations[d] = { id = next(), queue = next() } end
  return event
end

local function writeJob(n, event, destination)
  local recordKey = jobPrefix .. n
  redis.call('HSET', recordKey, 'event', event.id, 'cnpj', event.cnpj, 'destination', destination.id,
    'queue', destination.queue, 'type', event.type, 'correlation', event.correlation, 'contentType', event.contentType,
    'headers', event.headers, 'body', event.body, 'status', 'RECEIVED', 'round', 0, 'attempts', 0, 'roundStart', 0,
    'receivedAt', int(now))
  redis.call('XADD', inboxKey, n .. '-0', 'queue', destination.queue)
  journal(journalKey, recordKey, n, '', now)
end

local function withRest(answer, bucket)
  if not bucket then return answer end
  local free, fullMs = restOf(bucket)
  table.insert(answer, free)
  table.insert(answer, fullMs)
  return answer
end

-- The answer to the first event with this key, for one that repeats it.
local function firstAnswer(idempotencyKey, event)
  local first = redis.call('HMGET', idempotencyKey, 'body', 'event', 'first', 'count')
  if not first[1] then return nil end
  if first[1] ~= event.bodyHash then return { 'conflict' } end
  return { 'repeated', first[2], tonumber(first[3]), tonumber(first[4]) }
end

local function accept(event)
  local bucket = event.rate and readBucket(ratePrefix .. event.cnpj, event.rate, event.burst, now)
  local idempotencyKey = event.key ~= '' and idempotencyPrefix .. event.cnpj .. ':' .. event.key
  local known = idempotencyKey and firstAnswer(idempotencyKey, event)
  if known then return known[1] == 'conflict' and known or withRest(known, bucket) end
  local wait = bucket and waitMs(bucket) or 0
  if wait > 0 then return withRest({ 'limited', wait }, bucket) end
  local count = #event.destinations
  if count > 0 and backlog + count > limit then return { 'full' } end
  if bucket then spendOne(bucket) end
  local last = count > 0 and redis.call('INCRBY', seqKey, count) or 0
  local first = last - count + 1
  for d = 1, count do writeJob(int(first + d - 1), event, event.destinations[d]) end
  backlog = backlog + count
  if idempotencyKey then
    redis.call('HSET', idempotencyKey, 'body', event.bodyHash, 'event', event.id, 'first', int(first), 'count', count)
    redis.call('EXPIRE', idempotencyKey, ttl)
  end
  return withRest({ 'accepted', event.id, first, count }, bucket)
end

local answers = {}
for e = 1, tonumber(ARGV[8]) do answers[e] = accept(readEvent()) end
return answers
