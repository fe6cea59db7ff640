--[[
  Makes an awaited reply before its upstream is called, or joins the one of the same idempotency key.

  KEYS
    1 await-counts:<cnpj>
  ARGV
    1 await prefix  2 cnpj  3 new id  4 upstream  5 owner: the instance that asks  6 time-out in ms  7 TTL of the record in ms
    8 most that a tenant waits for  9 hash of the idempotency key, '' for none  10 hash of what is called
    11 ms for which a call may run  12 ms for which it counts as waited for, unless the upstream answers before
  OUTPUT
    {'new' | 'take-over', id, expires at}         the caller has to call the upstream
    {'joined', id, expires at, status, caller}    somebody has called it, or does so now
    {'finished', id}                              its reply is there
    {'conflict'}                                  the key was used for another call
    {'full', ms until the first deadline}
]]
local names = offerNames(ARGV[1], ARGV[2])
local newId, upstream, owner, keyHash, bodyHash = ARGV[3], ARGV[4], ARGV[5], ARGV[9], ARGV[10]
local ttl, most = tonumber(ARGV[7]), tonumber(ARGV[8])
local now = nowMs()
local callUntil = now + tonumber(ARGV[11])
local deadline = now + tonumber(ARGV[6])
-- A caller who waits for less than its call takes makes no room for the next one.
local countsUntil = math.max(deadline, now + tonumber(ARGV[12]))

redis.call('ZREMRANGEBYSCORE', names.open, '-inf', int(now))
redis.call('ZREMRANGEBYSCORE', names.unbound, '-inf', int(now))
endOffers(names, now)

local function full()
  if redis.call('ZCARD', names.open) < most then return nil end
  local first = redis.call('ZRANGE', names.open, 0, 0, 'WITHSCORES')
  return { 'full', first[2] and tonumber(first[2]) - now or 0 }
end

local function expect(id, untilMs, unbound)
  redis.call('ZADD', names.open, int(untilMs), id)
  if unbound then redis.call('ZADD', names.unbound, int(untilMs + offerMs), id) end
  for _, key in ipairs({ names.open, names.unbound }) do
    if redis.call('PTTL', key) < untilMs + offerMs - now then redis.call('PEXPIREAT', key, int(untilMs + offerMs)) end
  end
end

local function addOwner(recordKey, owners)
  if string.find(' ' .. owners .. ' ', ' ' .. owner .. ' ', 1, true) then return end
  redis.call('HSET', recordKey, 'owners', owners .. ' ' .. owner)
end

-- Whether whoever called it can still tell what came of it.
local function isBeingCalled(status, caller, endsAt)
  return status == 'OPEN' and tonumber(endsAt) > now and redis.call('EXISTS', ARGV[1] .. '-owner:' .. caller) == 1
end

local function join(id, record)
  local status, caller = record[1], record[4]
  if record[2] ~= bodyHash then return { 'conflict' } end
  if isAnswered(status) then return { 'finished', id } end
  local refused = not redis.call('ZSCORE', names.open, id) and full()
  if refused then return refused end
  local recordKey = names.record .. id
  addOwner(recordKey, record[3])
  local untilMs = math.max(tonumber(record[5]), deadline)
  local expiresAt = untilMs + ttl
  redis.call('HSET', recordKey, 'deadline', int(untilMs))
  keepRecord(names, id, expiresAt, now)
  local called = status == 'BOUND' or isBeingCalled(status, caller, record[6])
  expect(id, status == 'BOUND' and untilMs or math.max(untilMs, countsUntil), status ~= 'BOUND')
  if called then return { 'joined', id, int(expiresAt), status, caller } end
  redis.call('HSET', recordKey, 'status', 'OPEN', 'caller', owner, 'callUntil', int(callUntil))
  redis.call('HDEL', recordKey, 'code', 'upstreamStatus', 'message')
  return { 'take-over', id, int(expiresAt) }
end

local known = keyHash ~= '' and redis.call('GET', names.key .. keyHash)
if known then
  local record = redis.call('HMGET', names.record .. known, 'status', 'call', 'owners', 'caller', 'deadline', 'callUntil')
  if record[1] then return join(known, record) end
end
local refused = full()
if refused then return refused end
local recordKey, expiresAt = names.record .. newId, deadline + ttl
redis.call('HSET', recordKey, 'cnpj', ARGV[2], 'upstream', upstream, 'status', 'OPEN', 'owners', owner, 'caller', owner,
  'call', bodyHash, 'createdAt', int(now), 'deadline', int(deadline), 'callUntil', int(callUntil), 'ttl', int(ttl),
  'duplicates', 0)
redis.call('HINCRBY', names.counts, 'opened', 1)
if keyHash ~= '' then
  redis.call('HSET', recordKey, 'key', keyHash)
  redis.call('SET', names.key .. keyHash, newId)
end
keepRecord(names, newId, expiresAt, now)
expect(newId, countsUntil, true)
return { 'new', newId, int(expiresAt) }
