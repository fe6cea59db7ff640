--[[
  Shared by the scripts that change job records; put in front of them when they are loaded.

  A record is the hash <jobPrefix><n>. Times are Redis' own clock in ms, so that all processes agree, and one call has one time.
]]
local callAt
local function nowMs()
  if not callAt then
    local time = redis.call('TIME')
    callAt = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return callAt
end

-- Lua prints large numbers as 1.7e+12, so everything numeric that is stored goes through this. Printing takes time, and the same few
-- numbers, most of all the time, are stored in several places.
local printed = {}
local function int(value)
  local text = printed[value]
  if not text then
    text = string.format('%.0f', value)
    printed[value] = text
  end
  return text
end

-- The place behind all others of a line or backlog, whose places are job numbers: that of `after`, unless there are some behind it.
local function placeBehind(key, after)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
  return math.max(after, (tonumber(last) or 0) + 1 / 1024)
end

-- Counts the jobs that come into a queue and leave it, for its rates: a hash for each 10 s, kept beside the journal for 2 min.
local flowMs = 10000
local function flowKey(journalKey, now)
  return journalKey .. ':flow:' .. int(math.floor(now / flowMs))
end

local function addFlow(journalKey, way, queue, count, now)
  local key = flowKey(journalKey, now)
  if redis.call('HINCRBY', key, way .. ':' .. queue, count) == count then redis.call('EXPIRE', key, 120) end
end

-- Writes one status change into the journal, and gives its id. `record`: status, round, attempts, event, CNPJ, destination, queue and
-- type, in this order. All of it is one field: each is a text more for Redis to answer and for every reader to take apart. The type
-- stands at the end, because it alone may have blanks in it.
local function writeChange(journalKey, n, previous, record, at)
  return redis.call('XADD', journalKey, '*', 'change', table.concat({ n, record[1], previous, record[2], record[3], record[4],
    record[5], record[6], record[7], at, record[8] or '' }, ' '))
end
