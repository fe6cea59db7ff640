--[[
  An attempt is over.

  KEYS, ARGV and OUTPUT: see changes.lua
]]
-- DELIVERING -> DELIVERED, RETRYING, HELD or FAILED. Arguments: number of the start, new status, delay in ms ('' unless RETRYING),
-- failure ('' unless FAILED), attempt record ('' when nothing was sent), '1' when the attempt does not count against
-- the round's, what the outcome tells of the destination: 'ok', 'fault' or 'none'.
-- {'ok', status, round, next attempt at or 0, released} | {'same', …}: done before | {'refused', status}
local function finish(n, recordKey, record, args)
  local startNumber, status = tonumber(args[1]), args[2]
  if not record.status then return { 'refused', 'MISSING' } end
  if record.finished == startNumber then return { 'same', record.status, record.round, record.nextAttemptAt } end
  if record.status ~= 'DELIVERING' or record.attempts + record.looks ~= startNumber then return { 'refused', record.status } end
  local nextAttemptAt = status == 'RETRYING' and now + tonumber(args[3]) or 0
  -- Removing first lets a full Redis take the rest of the script: an outcome is recorded whenever Redis answers.
  leavePlace(n, record.destination)
  -- What is delivered is gone soon.
  if status ~= 'DELIVERED' then redis.call('HDEL', recordKey, 'owner', 'leaseUntil', 'startedAt') end
  if record.report then redis.call('HDEL', recordKey, 'report') end
  local attempts, fields = record.attempts, { 'finished', args[1] }
  if status == 'RETRYING' then append(fields, 'nextAttemptAt', int(nextAttemptAt)) end
  if status == 'DELIVERED' then append(fields, 'deliveredAt', int(now)) end
  if args[4] ~= '' then append(fields, 'failure', args[4]) end
  if args[5] ~= '' then redis.call('RPUSH', recordKey .. ':attempts', args[5]) end
  if args[6] == '1' and args[5] == '' then
    -- Nothing was sent: the next attempt has this one's number.
    attempts = attempts - 1
    append(fields, 'attempts', attempts)
    append(fields, 'looks', record.looks + 1)
  elseif args[6] == '1' then
    append(fields, 'roundStart', record.roundStart + 1)
  end
  write(n, recordKey, record, status, attempts, unpack(fields))
  -- As any job on its way it is on the sweeper's list, and history deletes it before long.
  if status ~= 'DELIVERED' then lookAt(n, math.max(nextAttemptAt - now, 0) + graceMs) end
  if status == 'FAILED' then tellOfFailure(n, record, args[4], now) end
  gateAtFinish(record.destination, n, args[7], record.startedAt, now)
  letIn(n, record, status == 'DELIVERED' or status == 'FAILED')
  local limit = record.report and tonumber(redis.call('HGET', recordKey, 'reportLimit'))
  if limit and status == 'DELIVERED' and record.round < limit then
    record.status = 'DELIVERED'
    beginRound(n, recordKey, record, record.report, redis.call('HGET', recordKey, 'reportAudit'))
    return { 'ok', 'QUEUED', record.round, 0, released }
  end
  return { 'ok', status, record.round, nextAttemptAt, released }
end

local answers = makeChanges({ finish = finish }, nil, true)
writeEnded()
return answers
