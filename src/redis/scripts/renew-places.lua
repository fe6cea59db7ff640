--[[
  Renews the leases of a tenant's streams; those that Redis has lost get their places back.

  KEYS
    1 streams:<cnpj>
  ARGV
    1 ms of the lease  2… ids of streams
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
