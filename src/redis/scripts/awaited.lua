--[[
  Awaited replies; put in front of the scripts that touch them. All keys of a tenant's are built from one prefix, see keys.ts.

  A record's status: OPEN (the upstream is being called), BOUND (its external id is known), CALL_FAILED, REPLIED, LATE (after the
  deadline, or after the caller was told otherwise), REPLY_FAILED (a reply that reports failure).
]]
local function awaitNames(prefix, cnpj)
  return { cnpj = cnpj, record = prefix .. ':', key = prefix .. '-key:' .. cnpj .. ':', of = prefix .. '-of:' .. cnpj .. ':',
    open = prefix .. '-open:' .. cnpj, unbound = prefix .. '-unbound:' .. cnpj, counts = prefix .. '-counts:' .. cnpj }
end

local function isAnswered(status)
  return status == 'REPLIED' or status == 'LATE' or status == 'REPLY_FAILED'
end

-- Keeps the record, and what leads to it, until then.
local function keepRecord(names, id, untilMs, now)
  local at = int(untilMs)
  local found = redis.call('HMGET', names.record .. id, 'key', 'of')
  redis.call('HSET', names.record .. id, 'expiresAt', at)
  redis.call('PEXPIREAT', names.record .. id, at)
  if found[1] then redis.call('PEXPIREAT', names.key .. found[1], at) end
  if found[2] then redis.call('PEXPIREAT', names.of .. found[2], at) end
  local ends = redis.call('PTTL', names.counts)
  if ends < untilMs - now then redis.call('PEXPIREAT', names.counts, at) end
end

-- What a reply is matched against; nil when there is no such record of this tenant's.
local function readAwaited(names, id)
  local fields = redis.call('HMGET', names.record .. id, 'status', 'cnpj', 'deadline', 'ttl', 'owners', 'expiresAt')
  if not fields[1] or fields[2] ~= names.cnpj then return nil end
  return { id = id, status = fields[1], answered = isAnswered(fields[1]), deadline = tonumber(fields[3]),
    ttl = tonumber(fields[4]), owners = fields[5], expiresAt = tonumber(fields[6]) }
end

-- The first reply stands, others are counted. `event`: id, body, contentType; `n`: of its first job, 0 for none.
-- {id, status, owners, time of the reply} | {id, 'DUPLICATE'}
local function recordReply(names, awaited, event, failed, n, now)
  local id = awaited.id
  local recordKey = names.record .. id
  if awaited.answered then
    redis.call('HINCRBY', recordKey, 'duplicates', '1')
    redis.call('HINCRBY', names.counts, 'duplicates', '1')
    return { id, 'DUPLICATE' }
  end
  local late = awaited.status == 'CALL_FAILED' or now > awaited.deadline
  local status = failed and 'REPLY_FAILED' or late and 'LATE' or 'REPLIED'
  redis.call('HSET', recordKey, 'status', status, 'payload', event.body, 'contentType', event.contentType, 'n', n,
    'event', event.id, 'repliedAt', int(now))
  redis.call('ZREM', names.open, id)
  if awaited.status ~= 'BOUND' then redis.call('ZREM', names.unbound, id) end
  redis.call('HINCRBY', names.counts, string.lower(status), '1')
  -- One in time is kept from its deadline on as it was.
  local untilMs = now + awaited.ttl
  if untilMs > awaited.expiresAt then keepRecord(names, id, untilMs, now) end
  return { id, status, awaited.owners, int(now) }
end
