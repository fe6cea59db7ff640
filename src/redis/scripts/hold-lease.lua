--[[
  Takes, renews or gives up a lease.

  KEYS
    1 lease
  ARGV
    1 owner  2 ms until it ends, 0 to give it up
  OUTPUT
    1 when the owner holds it now, else 0
]]
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
-- Deleting first lets a full Redis take the rest of the script.
redis.call('DEL', KEYS[1])
if ARGV[2] == '0' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
