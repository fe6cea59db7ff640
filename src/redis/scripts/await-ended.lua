--[[
  Which of many awaited replies have an end: a reply, a failed call, or no record any more.

  KEYS
    1 await-owner:<owner>   the instance whose callers wait
  ARGV
    1 await prefix, then ids
  OUTPUT
    their ids
]]
local ended = {}
for i = 2, #ARGV do
  local status = redis.call('HGET', ARGV[1] .. ':' .. ARGV[i], 'status')
  if status ~= 'OPEN' and status ~= 'BOUND' then ended[#ended + 1] = ARGV[i] end
end
return ended
