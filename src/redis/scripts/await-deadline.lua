--[[
  The last look before a caller is told that its reply is still to come. What is found here is in time.

  KEYS
    1 await-counts:<cnpj>
  ARGV
    1 await prefix  2 cnpj  3 id
  OUTPUT
    {'pending', expires at} | {'finished'} | {'gone'}
]]
local names = awaitNames(ARGV[1], ARGV[2])
local recordKey = names.record .. ARGV[3]
local record = redis.call('HMGET', recordKey, 'status', 'expiresAt')
if not record[1] then return { 'gone' } end
if record[1] == 'LATE' then
  redis.call('HSET', recordKey, 'status', 'REPLIED')
  redis.call('HINCRBY', names.counts, 'late', -1)
  redis.call('HINCRBY', names.counts, 'replied', 1)
end
if isAnswered(record[1]) or record[1] == 'CALL_FAILED' then return { 'finished' } end
return { 'pending', record[2] }
