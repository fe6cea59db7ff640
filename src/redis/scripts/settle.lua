--[[
  Nothing is left to mend: the error queue holds the entry of this round, or there is no record at all. The sweeper need not look any more.

  KEYS
    1 due  2 record
  ARGV
    1 number of the job  2 round
  OUTPUT
    nothing
]]
local record = redis.call('HMGET', KEYS[2], 'status', 'round')
local rests = record[1] == 'FAILED' and (record[2] or '0') == ARGV[2]
if rests or not record[1] then redis.call('ZREM', KEYS[1], ARGV[1]) end
