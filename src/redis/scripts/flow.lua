--[[
  Which of a destination's jobs are given to the workers; put in front of the transition script, after `job` and `gate`.
]]
-- Stores what the caller knows of a destination where that is new: name, value, … from argument number `from` on.
local function rememberTerms(dest, args, from)
  if not args[from] then return end
  local names = {}
  for a = from, #args, 2 do names[#names + 1] = args[a] end
  local stored = redis.call('HMGET', gateKey(dest), unpack(names))
  for i = 1, #names do
    local value = args[from + 2 * i - 1]
    if stored[i] ~= value then redis.call('HSET', gateKey(dest), names[i], value) end
  end
end
