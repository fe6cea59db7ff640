--[[
  Where the journal of this data set begins and ends, seen at one moment.

  KEYS
    1 epoch  2 trimmedTo  3 journal
  OUTPUT
    {epoch or '', id of the last entry removed or '0-0', id of the last entry ever written or '0-0'}
]]
local last = '0-0'
if redis.call('EXISTS', KEYS[3]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[3])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
end
return { redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or '0-0', last }
