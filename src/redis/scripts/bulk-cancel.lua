--[[
  Has a bulk that runs stop before its next batch.

  KEYS
    1 the bulk
  OUTPUT
    1 when it was running, else 0
]]
if redis.call('HGET', KEYS[1], 'status') ~= 'RUNNING' then return 0 end
redis.call('HSET', KEYS[1], 'status', 'CANCELLED')
return 1
