--[[
  Where jobs wait for their turn, for people. Changes nothing.

  KEYS
    none
  ARGV
    1 job prefix  2 prefix of the keys of flows, then numbers of jobs
  OUTPUT
    an array that begins with when the last worker was seen, in ms (0 where none is known), then one entry a job: {what it waits for:
      'flow' its turn, 'order' the one before it in its line, '' neither; how many of its tenant are before it there; the first in its
      line (0 for none); when its turn under a rate is, in ms (0 for none); attempts that its destination has under way, and may have}
]]
local prefix = ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function placeOf(n)
  local recordKey = ARGV[1] .. n
  local record = redis.call('HMGET', recordKey, 'about', 'kept', 'ordering', 'slot')
  local _, cnpj, dest = partsOf(aboutOf(recordKey, record[1]))
  local kept = record[2] or ''
  dest = dest or ''
  local ahead, first = 0, 0
  if kept == 'flow' then
    ahead = redis.call('ZRANK', prefix .. 'backlog:' .. dest .. ':' .. cnpj, n) or 0
  elseif kept == 'order' then
    local line = prefix .. 'order:' .. dest .. ':' .. cnpj .. ':' .. (record[3] or '')
    ahead = redis.call('ZRANK', line, n) or 0
    first = tonumber(redis.call('ZRANGE', line, 0, 0)[1] or 0)
  end
  local underWay = redis.call('ZCOUNT', prefix .. 'active:' .. dest, string.format('%.0f', now), '+inf')
  local concurrency = tonumber(redis.call('HGET', prefix .. 'gate:' .. dest, 'concurrency') or 0)
  return { kept, ahead, first, tonumber(record[4] or 0), underWay, concurrency }
end

local seen = redis.call('ZRANGE', prefix .. 'workers', -1, -1, 'WITHSCORES')[2]
local answers = { tonumber(seen or 0) }
for a = 3, #ARGV do answers[a - 1] = placeOf(ARGV[a]) end
return answers
