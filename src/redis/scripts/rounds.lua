--[[
  How a job's turn ends and how it gets a further one; put in front of the scripts that need it, after `changes` and `flow-release`.
]]
-- A job is out no longer, see `letIn`.
local function leavePlace(n, dest)
  comeIn(n, dest)
  redis.call('ZREM', flowKeyOf('active', dest), n)
end

-- There is room for the next ones.
local function letIn(n, record, hasLeftLine)
  if hasLeftLine then
    local first, firstKey, next = leaveLine(n, record, readPlace)
    if first then
      unkeep(first, firstKey, next)
      admitAnd(first, firstKey, next, first)
    end
  end
  release(record.destination, readPlace, give)
end

-- `audit`: who asked and why, as JSON. Rounds are kept a line each: round, ms, how the one before ended, audit.
local function beginRound(n, recordKey, record, report, audit)
  local rounds = redis.call('HGET', recordKey, 'rounds') or ''
  local line = table.concat({ int(record.round + 1), int(now), record.status, audit }, ' ') .. '\n'
  record.round = record.round + 1
  write(n, recordKey, record, 'QUEUED', record.attempts, 'round', record.round, 'roundStart', record.attempts,
    'requeuedAt', int(now), 'reported', report, 'rounds', rounds .. line)
  redis.call('HDEL', recordKey, 'failure', 'report', 'deliveredAt', 'nextAttemptAt', 'lost', 'heldMs', 'late')
  record.status = 'QUEUED'
  local newest = tonumber(redis.call('GET', ARGV[2] .. 'seq') or n)
  if record.ordering then redis.call('ZADD', lineKey(record), placeBehind(lineKey(record), newest + 0.5), n) end
  admitAnd(n, recordKey, record, placeBehind(backlogKey(record), newest + 0.5))
end
