--[[
  Numbers events and makes them durable: record, inbox entry and journal entry of every job, all or nothing.

  KEYS
    1 seq  2 epoch  3 inbox  4 journal  5 kept  6 kept-of
  ARGV
    1 expected epoch  2 highest number of jobs that wait to be given to workers  3 job prefix  4 idempotency prefix  5 idempotency TTL in s
    6 rate prefix  7 highest number that the caller was given  8 await prefix  9 channel prefix  10 order prefix, then for each event three:
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
local given = redis.call('MGET', KEYS[1], KEYS[2])
if given[2] ~= ARGV[1] or tonumber(given[1] or 0) < tonumber(ARGV[7]) then return 'EPOCH' end

local seqKey, inboxKey, journalKey = KEYS[1], KEYS[3], KEYS[4]
local limit, jobPrefix, idempotencyPrefix, ttl, ratePrefix = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local awaitPrefix, channelPrefix, orderPrefix = ARGV[8], ARGV[9], ARGV[10]
local backlog = redis.call('XLEN', inboxKey)
for _, kept in ipairs(redis.call('HVALS', KEYS[5])) do backlog = backlog + kept end
local now = nowMs()
local at = int(now)

-- Jobs that the events may become, and of each queue those that they have become.
local wanted, came = 0, {}
local events = {}
for i = 11, #ARGV, 3 do
  local event = cjson.decode(ARGV[i + 2])
  event.headers, event.body = ARGV[i], ARGV[i + 1]
  wanted = wanted + #event.destinations
  events[#events + 1] = event
end

-- Numbers are taken once for all events. What is left of them goes back at the end; when an error keeps it from that, it is a gap.
local lastNumber, lastTaken
local function takeNumbers(count)
  if not lastTaken then
    lastTaken = redis.call('INCRBY', seqKey, wanted)
    lastNumber = lastTaken - wanted
  end
  lastNumber = lastNumber + count
  return lastNumber - count + 1
end

-- A tenant may have four times as many kept back as there is room for still (a dynamic threshold, Choudhury and Hahne, 1998): one alone
-- four fifths of all, and however many tenants have all that they may, another still finds room.
local function isFull(cnpj, count)
  if backlog + count > limit then return true end
  if backlog * 5 < limit * 4 - count then return false end
  return tonumber(redis.call('HGET', KEYS[6], cnpj) or 0) + count > 4 * (limit - backlog)
end

local function writeJob(n, event, destination)
  local queue = destination.queue
  local change = { 'RECEIVED', '0', '0', event.id, event.cnpj, destination.destination, queue, event.type }
  local journalId = writeChange(journalKey, n, '', change, at)
  redis.call('HSET', jobPrefix .. n, 'event', event.id, 'cnpj', event.cnpj, 'destination', destination.destination,
    'queue', queue, 'type', event.type, 'correlation', event.correlation, 'contentType', event.contentType,
    'headers', event.headers, 'body', event.body, 'status', 'RECEIVED', 'round', '0', 'attempts', '0', 'roundStart', '0',
    'receivedAt', at, 'journalId', journalId, 'updatedAt', at)
  if destination.ordering then
    redis.call('HSET', jobPrefix .. n, 'ordering', destination.ordering)
    local line = orderPrefix .. destination.destination .. ':' .. event.cnpj .. ':' .. destination.ordering
    redis.call('ZADD', line, placeBehind(line, tonumber(n)), n)
  end
  redis.call('XADD', inboxKey, n .. '-0', 'queue', queue)
  came[queue] = (came[queue] or 0) + 1
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
  local first = event.candidates and event.candidates[1]
  if not first then return nil end
  if not first.id and redis.call('EXISTS', awaitPrefix .. '-counts:' .. event.cnpj) == 0 then return nil end
  return awaitNames(awaitPrefix, event.cnpj)
end

-- Whoever is named by the awaited reply itself sends answers, and nothing else: a repeat is counted and is no event.
local function isDelivered(event, found)
  if not event.candidates then return true end
  local candidate = found and found.candidate or event.candidates[1]
  if candidate.id and (not found or found.answered) then return false end
  return not found or candidate.deliver
end

-- Tells the instances whose callers wait, but for the one that takes the event, and whoever looks on. Here, because that is a round
-- trip sooner than the instance could. A message that cannot be sent (an ACL) harms nothing else: who waits also looks.
local function tellOthers(event, found, n, reply)
  local message = { id = found.id, reply = cjson.null }
  if event.isTold then
    message.reply = { text = event.body, contentType = event.contentType, n = n, failed = found.candidate.failed, repliedAt = now }
  end
  local text, trouble
  local function tell(channel, what)
    local answer = redis.pcall('PUBLISH', channelPrefix .. channel, what)
    if type(answer) == 'table' and answer.err then trouble = answer.err end
  end
  for owner in string.gmatch(reply[3], '%S+') do
    if owner ~= event.toldBy then
      text = text or cjson.encode(message)
      tell('replies:' .. owner, text)
    end
  end
  tell('awaited-replies:' .. event.cnpj, cjson.encode(found.id))
  return trouble
end

-- In the same call as the event becomes durable, so that no crash comes between the two.
local function answerWith(event, names, found, n)
  if found then
    local reply = { failed = found.candidate.failed, body = event.body, contentType = event.contentType, n = n, event = event.id }
    local recorded = recordReply(names, found, reply, now)
    if event.toldBy and recorded[3] then recorded[5] = tellOthers(event, found, n, recorded) end
    return recorded
  end
  if names and not event.candidates[1].id then offerReply(names, event, n, now) end
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
  local count = isDelivered(event, found) and #event.destinations or 0
  if count > 0 and isFull(event.cnpj, count) then return { 'full' } end
  if bucket then spendOne(bucket) end
  local first = count > 0 and takeNumbers(count) or 0
  for d = 1, count do writeJob(int(first + d - 1), event, event.destinations[d]) end
  backlog = backlog + count
  local reply = answerWith(event, names, found, count > 0 and int(first) or 0)
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
for queue, count in pairs(came) do addFlow(journalKey, 'in', queue, count, now) end
if lastTaken and lastNumber < lastTaken then redis.call('DECRBY', seqKey, int(lastTaken - lastNumber)) end
return answers
