--[[
  Notes that a worker lives, and counts those that were seen of late.

  KEYS
    1 workers
  ARGV
    1 name of the worker  2 ms after which one that was not seen is forgotten
  OUTPUT
    {how many there are, Redis' clock in ms}
]]
local now = nowMs()
redis.call('ZADD', KEYS[1], int(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { redis.call('ZCARD', KEYS[1]), now }
