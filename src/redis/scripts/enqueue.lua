--[[
  A job that was accepted is given to the workers or kept back.

  KEYS, ARGV and OUTPUT: see changes.lua
]]
-- RECEIVED -> QUEUED, or HELD while nothing is delivered to its destination.
-- {'ok', queue, round, destination}: is to be added | {'again', …}: queued already, adding it once more is harmless | {'kept'} |
-- {'past', status}
local function enqueue(n, recordKey, record)
  if not record.status then return { 'past', 'MISSING' } end
  if record.status == 'QUEUED' or record.status == 'HELD' then
    if record.kept then return { 'kept' } end
    return { 'again', record.queue, record.round, record.destination }
  end
  if record.status ~= 'RECEIVED' then return { 'past', record.status } end
  local why, untilMs = gateShut(record.destination, now)
  local isOut = giveOut(n, record, n)
  if why then
    beHeld(n, recordKey, record, why, untilMs)
    if not isOut then redis.call('HSET', recordKey, 'kept', record.kept) end
  elseif isOut then
    write(n, recordKey, record, 'QUEUED', record.attempts)
  else
    write(n, recordKey, record, 'QUEUED', record.attempts, 'kept', record.kept)
  end
  if not isOut then
    lookAtKept(n, record)
    return { 'kept' }
  end
  lookAt(n, graceMs)
  return { 'ok', record.queue, record.round, record.destination }
end

return makeChanges({ enqueue = enqueue }, nil, false, readPlace)
