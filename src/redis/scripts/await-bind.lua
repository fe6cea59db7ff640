--[[
  Tells the external id that the upstream gave, and claims the event that came before it was known.

  KEYS
    1 await-counts:<cnpj>
  ARGV
    1 await prefix  2 cnpj  3 id  4 upstream  5 hash of the external id  6 external id
  OUTPUT
    {'bound'} | {'replied', status, owners, time of the reply}
    {'taken'}   the external id is another awaited reply's
    {'gone'}    there is no such record
]]
local names = offerNames(ARGV[1], ARGV[2])
local id, rest = ARGV[3], ARGV[4] .. ':' .. ARGV[5]
local recordKey = names.record .. id
local record = redis.call('HMGET', recordKey, 'status', 'expiresAt', 'owners', 'repliedAt', 'deadline')
if not record[1] then return { 'gone' } end
local holder = redis.call('GET', names.of .. rest)
if holder and holder ~= id and redis.call('EXISTS', names.record .. holder) == 1 then return { 'taken' } end

redis.call('SET', names.of .. rest, id, 'PXAT', record[2])
redis.call('HSETNX', recordKey, 'of', rest)
redis.call('HSETNX', recordKey, 'externalId', ARGV[6])
redis.call('ZREM', names.unbound, id)
if isAnswered(record[1]) then return { 'replied', record[1], record[3], record[4] } end
redis.call('HSET', recordKey, 'status', 'BOUND')
-- From here on it counts as long as a caller waits.
if redis.call('ZSCORE', names.open, id) then redis.call('ZADD', names.open, record[5], id) end
redis.call('HDEL', recordKey, 'code', 'upstreamStatus', 'message')
local answer = claimOffer(names, id, rest, nowMs())
if not answer then return { 'bound' } end
return { 'replied', answer[2], answer[3], answer[4] }
