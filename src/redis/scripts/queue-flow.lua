--[[
  How many jobs came into a queue and left it in the last minute: in its last six whole parts of 10 s.

  KEYS
    1 journal
  ARGV
    1 queue
  OUTPUT
    {came, left}
]]
local now = nowMs()
local came, left = 0, 0
for back = 1, 6 do
  local counts = redis.call('HMGET', flowKey(KEYS[1], now - back * flowMs), 'in:' .. ARGV[1], 'out:' .. ARGV[1])
  came, left = came + tonumber(counts[1] or 0), left + tonumber(counts[2] or 0)
end
return { came, left }
