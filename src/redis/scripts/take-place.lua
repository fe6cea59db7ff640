--[[
  Takes a place among a tenant's streams, unless all are taken. Places whose lease has ended are free.

  KEYS
    1 streams:<cnpj>
  ARGV
    1 id of the stream  2 ms of the lease  3 most streams
  OUTPUT
    1 when it has the place, else 0
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
-- The newest lease ends last: all of them are as long.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
