--[[
  Records that the call of the upstream failed. A reply stands, whatever became of the call.

  KEYS
    1 await-counts:<cnpj>
  ARGV
    1 await prefix  2 cnpj  3 id  4 code  5 HTTP status of the upstream, '' for none  6 message
    7 '1' when the upstream may have taken the call nevertheless  8 owner: the instance that called
  OUTPUT
    {'failed', owners} | {'replied', status, owners, time of the reply} | {'gone'}
    {'bound'}   another call went well, or is being made by the instance that took it over
]]
local names = awaitNames(ARGV[1], ARGV[2])
local id = ARGV[3]
local recordKey = names.record .. id
local record = redis.call('HMGET', recordKey, 'status', 'owners', 'repliedAt', 'caller')
if not record[1] then return { 'gone' } end
if isAnswered(record[1]) then return { 'replied', record[1], record[2], record[3] } end
if record[1] == 'BOUND' or (record[1] == 'OPEN' and record[4] ~= ARGV[8]) then return { 'bound' } end
redis.call('HSET', recordKey, 'status', 'CALL_FAILED', 'code', ARGV[4], 'upstreamStatus', ARGV[5], 'message', ARGV[6])
redis.call('HINCRBY', names.counts, 'call_failed', 1)
redis.call('ZREM', names.open, id)
-- A repeat of the call learns the external id that this one's webhook names.
if ARGV[7] ~= '1' then redis.call('ZREM', names.unbound, id) end
return { 'failed', record[2] }
