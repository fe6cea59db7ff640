--[[
  How many jobs came into a queue and left it in the last minute, in its last six whole parts of 10 s, and how many are kept back.

  KEYS
    1 journal
  ARGV
    1 queue  2 prefix of the keys of flows and gates  3 job prefix
  OUTPUT
    {came, left, kept, since when the oldest of these waits, in ms, or nil}: the oldest of some hundred flows, where there are more
]]
local now = nowMs()
local came, left = 0, 0
for back = 1, 6 do
  local counts = redis.call('HMGET', flowKey(KEYS[1], now - back * flowMs), 'in:' .. ARGV[1], 'out:' .. ARGV[1])
  came, left = came + tonumber(counts[1] or 0), left + tonumber(counts[2] or 0)
end
local kept = tonumber(redis.call('HGET', ARGV[2] .. 'kept', ARGV[1]) or 0)

-- The first of each backlog is its oldest, but for what was queued again.
local oldest, looks = nil, kept > 0 and 300 or 0
for _, dest in ipairs(looks > 0 and redis.call('SRANDMEMBER', ARGV[2] .. 'flowing', looks) or {}) do
  -- What is held does not wait for workers.
  local tenants = gateShut(dest, now) and {} or redis.call('ZRANGE', ARGV[2] .. 'flows:' .. dest, 0, 19)
  for _, cnpj in ipairs(tenants) do
    local n = looks > 0 and redis.call('ZRANGE', ARGV[2] .. 'backlog:' .. dest .. ':' .. cnpj, 0, 0)[1]
    local record = n and redis.call('HMGET', ARGV[3] .. n, 'about', 'requeuedAt')
    local _, _, _, queue, receivedAt = partsOf(record and aboutOf(ARGV[3] .. n, record[1]))
    local since = queue == ARGV[1] and tonumber(record[2] or receivedAt)
    if since and (not oldest or since < oldest) then oldest = since end
    looks = looks - 1
  end
end
return { came, left, kept, oldest }
