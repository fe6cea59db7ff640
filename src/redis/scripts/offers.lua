--[[
  Events that look like a reply and answer no call yet; put behind awaited.lua, in front of the scripts that keep, claim or count them.
]]
local offerMs, mostOffers, mostOfferBytes = 60000, 1000, 8388608
local strayMs, mostStrays = 3600000, 100

-- Those of awaitNames, and those of offers.
local function offerNames(prefix, cnpj)
  local names = awaitNames(prefix, cnpj)
  names.offer, names.offers = prefix .. '-offer:' .. cnpj .. ':', prefix .. '-offers:' .. cnpj
  names.offerBytes, names.strays = prefix .. '-offer-bytes:' .. cnpj, prefix .. '-strays:' .. cnpj
  return names
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
  local event = { id = offer[5], body = offer[2], contentType = offer[3] }
  local answer = recordReply(names, readAwaited(names, id), event, offer[1] == '1', offer[4], now)
  local repeats = tonumber(offer[6])
  if repeats > 0 then
    redis.call('HINCRBY', names.record .. id, 'duplicates', repeats)
    redis.call('HINCRBY', names.counts, 'duplicates', repeats)
  end
  dropOffer(names, #offer[2], rest)
  return answer
end
