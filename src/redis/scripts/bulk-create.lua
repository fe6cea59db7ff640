--[[
  Writes a bulk down, unless it is there or its owner has as many running as are allowed.

  KEYS
    1 bulks
  ARGV
    1 bulk prefix  2 id  3 owner  4 how many of this owner may run  5 how many of all  6 plan
  OUTPUT
    'created' | 'exists' | 'busy'
]]
local recordKey = ARGV[1] .. ARGV[2]
if redis.call('EXISTS', recordKey) == 1 then return 'exists' end
local running, own = redis.call('ZRANGE', KEYS[1], 0, -1), 0
for _, id in ipairs(running) do
  if redis.call('HGET', ARGV[1] .. id, 'owner') == ARGV[3] then own = own + 1 end
end
if own >= tonumber(ARGV[4]) or #running >= tonumber(ARGV[5]) then return 'busy' end
redis.call('HSET', recordKey, 'owner', ARGV[3], 'plan', ARGV[6], 'status', 'RUNNING', 'step', 0, 'cursor', 0, 'done', 0)
redis.call('ZADD', KEYS[1], int(nowMs()), ARGV[2])
return 'created'
