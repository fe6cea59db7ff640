--[[
  Shared by the scripts that change job records; put in front of them when they are loaded.

  A record is the hash <jobPrefix><n>. Times are Redis' own clock in ms, so that all processes agree.
]]
local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua prints large numbers as 1.7e+12, so everything numeric that is stored goes through this.
local function int(value)
  return string.format('%.0f', value)
end

-- Appends one status change and writes its id into the record. The fields are always the same, in the same order: Redis then
-- stores their names once per listpack.
local function journal(journalKey, recordKey, n, previous, now)
  local record = redis.call('HMGET', recordKey, 'status', 'round', 'attempts', 'event', 'cnpj', 'destination', 'queue', 'type')
  local id = redis.call('XADD', journalKey, '*', 'n', n, 'status', record[1], 'previous', previous, 'round', record[2],
    'attempts', record[3], 'event', record[4], 'cnpj', record[5], 'destination', record[6], 'queue', record[7],
    'type', record[8] or '', 'at', int(now))
  redis.call('HSET', recordKey, 'journalId', id, 'updatedAt', int(now))
  return id
end
