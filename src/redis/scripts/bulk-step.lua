--[[
  Moves a bulk on, for whoever read it last: of two who work on it, the second one's step changes nothing.

  KEYS
    1 the bulk  2 bulks
  ARGV
    1 id  2 step at which it was read  3 '' while it goes on, else ms for which its record is kept  4 … name, value, …
  OUTPUT
    1 when it was moved, else 0
]]
local record = redis.call('HMGET', KEYS[1], 'step', 'status')
if record[1] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'step', tonumber(ARGV[2]) + 1, unpack(ARGV, 4))
if ARGV[3] == '' then return 1 end
if record[2] == 'RUNNING' then redis.call('HSET', KEYS[1], 'status', 'COMPLETED') end
redis.call('HSET', KEYS[1], 'finishedAt', int(nowMs()))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
