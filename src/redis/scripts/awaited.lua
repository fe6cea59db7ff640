--[[
  Awaited replies; put in front of the scripts that touch them. All keys of a tenant's are built from one prefix, see keys.ts.

  A record's status: OPEN (the upstream is being called), BOUND (its external id is known), CALL_FAILED, REPLIED, LATE (after the
  deadline, or after the caller was told otherwise), REPLY_FAILED (a reply that reports failure).
]]
local offerMs, mostOffers, mostOfferBytes = 60000, 1000, 8388608
local strayMs, mostStrays = 3600000, 100

local function awaitNames(prefix, cnpj)
  return { cnpj = cnpj, record = prefix .. ':', owner = prefix .. '-owner:', key = prefix .. '-key:' .. cnpj .. ':',
    of = prefix .. '-of:' .. cnpj .. ':', open = prefix .. '-open:' .. cnpj, unbound = prefix .. '-unbound:' .. cnpj,
    offer = prefix .. '-offer:' .. cnpj .. ':', offers = prefix .. '-offers:' .. cnpj,
    offerBytes = prefix .. '-offer-bytes:' .. cnpj, counts = prefix .. '-counts:' .. cnpj, strays = prefix .. '-strays:' .. cnpj }
end

local function isAnswered(status)
  return status == 'REPLIED' or status == 'LATE' or status == 'REPLY_FAILED'
end

-- Keeps the record, and what leads to it, until then.
local function keepRecord(names, id, untilMs, now)
  local at = int(untilMs)
  local found = redis.call('HMGET', names.record .. id, 'key', 'of')
  redis.call('HSET', names.record .. id, 'expiresAt', at)
  redis.call('PEXPIREAT', names.record .. id, at)
  if found[1] then redis.call('PEXPIREAT', names.key .. found[1], at) end
  if found[2] then redis.call('PEXPIREAT', names.of .. found[2], at) end
  local ends = redis.call('PTTL', names.counts)
  if ends < untilMs - now then redis.call('PEXPIREAT', names.counts, at) end
end

-- What a reply is matched against; nil when there is no such record of this tenant's.
local function readAwaited(names, id)
  local fields = redis.call('HMGET', names.record .. id, 'status', 'cnpj', 'deadline', 'ttl', 'owners', 'expiresAt')
  if not fields[1] or fields[2] ~= names.cnpj then return nil end
  return { id = id, status = fields[1], answered = isAnswered(fields[1]), deadline = tonumber(fields[3]),
    ttl = tonumber(fields[4]), owners = fields[5], expiresAt = tonumber(fields[6]) }
end

-- The first reply stands, others are counted. `reply`: failed, body, contentType, n (0 for no job), event.
-- {id, status, owners, time of the reply} | {id, 'DUPLICATE'}
local function recordReply(names, awaited, reply, now)
  local id = awaited.id
  local recordKey = names.record .. id
  if awaited.answered then
    redis.call('HINCRBY', recordKey, 'duplicates', 1)
    redis.call('HINCRBY', names.counts, 'duplicates', 1)
    return { id, 'DUPLICATE' }
  end
  local late = awaited.status == 'CALL_FAILED' or now > awaited.deadline
  local status = reply.failed and 'REPLY_FAILED' or late and 'LATE' or 'REPLIED'
  redis.call('HSET', recordKey, 'status', status, 'payload', reply.body, 'contentType', reply.contentType, 'n', reply.n,
    'event', reply.event, 'repliedAt', int(now))
  redis.call('ZREM', names.open, id)
  if awaited.status ~= 'BOUND' then redis.call('ZREM', names.unbound, id) end
  redis.call('HINCRBY', names.counts, string.lower(status), 1)
  -- One in time is kept from its deadline on as it was.
  local untilMs = now + awaited.ttl
  if untilMs > awaited.expiresAt then keepRecord(names, id, untilMs, now) end
  return { id, status, awaited.owners, int(now) }
end

-- The awaited reply that this event answers: one without a reply yet before others, in the order of the candidates.
local function findAwaited(names, candidates)
  local answered
  for _, candidate in ipairs(candidates) do
    local id = candidate.id or redis.call('GET', names.of .. candidate.upstream .. ':' .. candidate.hash)
    local found = id and readAwaited(names, id)
    if found then
      found.candidate = candidate
      if not found.answered then return found end
      answered = answered or found
    end
  end
  return answered
end

local function countStray(names)
  redis.call('HINCRBY', names.counts, 'strays', 1)
  -- An event is kept for longer than records are, where those are kept for a moment only.
  if redis.call('PTTL', names.counts) < 0 then redis.call('PEXPIRE', names.counts, strayMs) end
end

local function noteStray(names, candidate, event, n, at)
  countStray(names)
  redis.call('LPUSH', names.strays, cjson.encode({ upstream = candidate.upstream, externalId = candidate.shown,
    eventId = event.id, n = n, at = int(at) }))
  redis.call('LTRIM', names.strays, 0, mostStrays - 1)
  redis.call('PEXPIRE', names.strays, strayMs)
end

-- With all that the same event was kept as: it answers one call, or is one event that answered none.
local function dropOffer(names, bytes, rest)
  local offer = redis.call('HMGET', names.offer .. rest, 'event', 'all')
  for each in string.gmatch(offer[2] or rest, '%S+') do
    if redis.call('HGET', names.offer .. each, 'event') == offer[1] then
      redis.call('ZREM', names.offers, bytes .. ' ' .. each)
      redis.call('DECRBY', names.offerBytes, bytes)
      redis.call('DEL', names.offer .. each)
    end
  end
end

local function giveUpOffer(names, member)
  local bytes, rest = string.match(member, '^(%d+) (.*)$')
  local offer = redis.call('HMGET', names.offer .. rest, 'event', 'n', 'at', 'all', 'shown')
  if not offer[1] then
    if redis.call('ZREM', names.offers, member) == 0 then return end
    redis.call('DECRBY', names.offerBytes, bytes)
    return countStray(names)
  end
  local candidate = { upstream = string.match(offer[4], '^[^:]+'), shown = offer[5] }
  dropOffer(names, bytes, rest)
  noteStray(names, candidate, { id = offer[1] }, offer[2], tonumber(offer[3]))
end

-- Those that nobody claimed in time, some at each time: all of them at once would hold everybody up.
local function endOffers(names, now)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', names.offers, '-inf', int(now), 'LIMIT', 0, 100)) do
    giveUpOffer(names, member)
  end
end

-- The oldest ones go beyond the limits.
local function boundOffers(names)
  while redis.call('ZCARD', names.offers) > mostOffers
    or tonumber(redis.call('GET', names.offerBytes) or 0) > mostOfferBytes do
    local oldest = redis.call('ZRANGE', names.offers, 0, 0)[1]
    if not oldest then return redis.call('DEL', names.offerBytes) end
    redis.call('HINCRBY', names.counts, 'droppedOffers', 1)
    giveUpOffer(names, oldest)
  end
end

-- `all`: everything that the event is kept as.
local function keepOffer(names, candidate, all, event, n, now)
  local rest = candidate.upstream .. ':' .. candidate.hash
  local offerKey = names.offer .. rest
  local known = redis.call('HGET', offerKey, 'at')
  if known and tonumber(known) + offerMs > now then return redis.call('HINCRBY', offerKey, 'duplicates', 1) end
  -- Its minute is over: what comes now is an offer of its own.
  if known then giveUpOffer(names, redis.call('HSTRLEN', offerKey, 'body') .. ' ' .. rest) end
  redis.call('HSET', offerKey, 'failed', candidate.failed and '1' or '0', 'body', event.body, 'contentType', event.contentType,
    'n', n, 'event', event.id, 'at', int(now), 'all', all, 'shown', event.candidates[1].shown, 'duplicates', 0)
  -- Longer than its place in the list, which is what is cleaned up by.
  redis.call('PEXPIRE', offerKey, 2 * offerMs)
  redis.call('ZADD', names.offers, int(now + offerMs), #event.body .. ' ' .. rest)
  redis.call('INCRBY', names.offerBytes, #event.body)
end

-- An event that answers nothing known: kept while calls are under way whose external id is still to come.
local function offerReply(names, event, n, now)
  endOffers(names, now)
  if redis.call('ZCOUNT', names.unbound, int(now), '+inf') == 0 then
    return noteStray(names, event.candidates[1], event, n, now)
  end
  local all = {}
  for i, candidate in ipairs(event.candidates) do all[i] = candidate.upstream .. ':' .. candidate.hash end
  for _, candidate in ipairs(event.candidates) do keepOffer(names, candidate, table.concat(all, ' '), event, n, now) end
  boundOffers(names)
  for _, key in ipairs({ names.offers, names.offerBytes }) do redis.call('PEXPIRE', key, 2 * offerMs) end
end

-- Gives the event that came first to the call whose external id it names. As recordReply, nil when there is none.
local function claimOffer(names, id, rest, now)
  local offerKey = names.offer .. rest
  local offer = redis.call('HMGET', offerKey, 'failed', 'body', 'contentType', 'n', 'event', 'duplicates')
  if not offer[1] then return nil end
  local reply = { failed = offer[1] == '1', body = offer[2], contentType = offer[3], n = offer[4], event = offer[5] }
  local answer = recordReply(names, readAwaited(names, id), reply, now)
  local repeats = tonumber(offer[6])
  if repeats > 0 then
    redis.call('HINCRBY', names.record .. id, 'duplicates', repeats)
    redis.call('HINCRBY', names.counts, 'duplicates', repeats)
  end
  dropOffer(names, #offer[2], rest)
  return answer
end
