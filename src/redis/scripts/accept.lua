--[[
  Numbers events and makes them durable: record, inbox entry and journal entry of every job, all or nothing.

  KEYS
    see accepting.lua
  ARGV
    see accepting.lua, then
    8 idempotency prefix  9 idempotency TTL in s  10 rate prefix, then for each event three:
      headers, body, and as JSON the rest (ScriptEvent in events/script-event.ts)
  OUTPUT
    'EPOCH' when this is another data set than expected, or an older state of it, else an array with one entry an event:
      first number                                                   accepted with all its destinations, and nothing more to tell
      {'accepted', event id, first number, number of jobs, <reply>, <rest>}
      {'repeated', event id, first number, number of jobs, {}, <rest>}   same key, same body: the first answer again, at no cost
      {'conflict'}                                                   same key, another body
      {'limited', ms until it fits, <rest>}                          the tenant's rate is spent
      {'full'}                                                       as many wait as may, of all or of this tenant
    <reply> tells what the event answers: {} for nothing, else see recordReply, and why others could not be told
    <rest> is there for events with a rate: whole events that fit now, ms until nothing of the burst is spent
]]
local idempotencyPrefix, ttl, ratePrefix = ARGV[8], ARGV[9], ARGV[10]

local function fieldsOf(event)
  local fields = event.contentType and { 'contentType', event.contentType } or {}
  if event.correlation then
    table.insert(fields, 'correlation')
    table.insert(fields, event.correlation)
  end
  return fields
end

-- `wanted`: jobs that the events may become.
local wanted, events = 0, {}
for i = 11, #ARGV, 3 do
  local event = cjson.decode(ARGV[i + 2])
  event.headers, event.body, event.more = ARGV[i], ARGV[i + 1], fieldsOf(event)
  wanted = wanted + #event.destinations
  events[#events + 1] = event
end

-- Numbers are taken once for all events. What is left of them goes back at the end; when an error keeps it from that, it is a gap.
local lastNumber, lastTaken
local function takeNumbers(count)
  if count == 0 then return 0 end
  if not lastTaken then
    lastTaken = redis.call('INCRBY', seqKey, wanted)
    lastNumber = lastTaken - wanted
  end
  lastNumber = lastNumber + count
  return lastNumber - count + 1
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
  return { 'repeated', first[2], tonumber(first[3]), tonumber(first[4]), {} }
end

-- Where the event's answers are looked up; nil for tenants that have called no upstream, so that it costs them next to nothing.
local function namesFor(event)
  if not event.candidates or redis.call('EXISTS', awaitPrefix .. '-counts:' .. event.cnpj) == 0 then return nil end
  return offerNames(awaitPrefix, event.cnpj)
end

-- The awaited reply that this event answers: one without a reply yet before others, in the order of the candidates.
local function findAwaited(names, candidates)
  local answered
  for _, candidate in ipairs(candidates) do
    local id = redis.call('GET', names.of .. candidate.upstream .. ':' .. candidate.hash)
    local found = id and readAwaited(names, id)
    if found then
      found.candidate = candidate
      if not found.answered then return found end
      answered = answered or found
    end
  end
  return answered
end

local function answerWith(event, names, found, n)
  if found then return recordAndTell(names, found, event, found.candidate.failed, n) end
  if names then offerReply(names, event, n, now) end
  return nil
end

local function accept(event)
  local bucket = event.rate and readBucket(ratePrefix .. event.cnpj, event.rate, event.burst, now)
  local idempotencyKey = event.key and idempotencyPrefix .. event.cnpj .. ':' .. event.key
  local known = idempotencyKey and firstAnswer(idempotencyKey, event)
  if known then return known[1] == 'conflict' and known or withRest(known, bucket) end
  local wait = bucket and waitMs(bucket) or 0
  if wait > 0 then return withRest({ 'limited', wait }, bucket) end
  local names = namesFor(event)
  local found = names and findAwaited(names, event.candidates)
  local count = (not found or found.candidate.deliver) and #event.destinations or 0
  if count > 0 and isFull(event.cnpj, count) then return { 'full' } end
  if bucket then spendOne(bucket) end
  local first = takeNumbers(count)
  writeJobs(event, first, count)
  local reply = answerWith(event, names, found, int(first))
  if idempotencyKey then
    redis.call('HSET', idempotencyKey, 'body', event.bodyHash, 'event', event.id, 'first', int(first), 'count', count)
    redis.call('EXPIRE', idempotencyKey, ttl)
  end
  if reply or bucket or count < #event.destinations then
    return withRest({ 'accepted', event.id, first, count, reply or {} }, bucket)
  end
  return first
end

local answers = {}
for e, event in ipairs(events) do answers[e] = accept(event) end
countJobs()
if lastTaken and lastNumber < lastTaken then redis.call('DECRBY', seqKey, int(lastTaken - lastNumber)) end
return answers
