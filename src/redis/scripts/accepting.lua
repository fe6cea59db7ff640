--[[
  Shared by the scripts that accept events; put in front of them, behind job.lua and awaited.lua. They have the same keys and the same
  first arguments, and answer 'EPOCH' when this is another data set than expected, or an older state of it.

  An event has id, cnpj, type, headers, body, more (further fields of its jobs, each name before its value) and destinations (of each
  destination, queue and, where it keeps order, ordering). One that answers also contentType, toldBy and isTold, see events/script-event.ts.

  KEYS
    1 seq  2 epoch  3 inbox  4 journal  5 kept  6 kept-of
  ARGV
    1 expected epoch  2 highest number of jobs that wait to be given to workers  3 highest number that the caller was given  4 job prefix
    5 order prefix  6 await prefix  7 channel prefix
]]
local given = redis.call('MGET', KEYS[1], KEYS[2])
if given[2] ~= ARGV[1] or tonumber(given[1] or 0) < tonumber(ARGV[3]) then return 'EPOCH' end

local seqKey, inboxKey, journalKey = KEYS[1], KEYS[3], KEYS[4]
local limit, jobPrefix, orderPrefix, awaitPrefix, channelPrefix = tonumber(ARGV[2]), ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local backlog = redis.call('XLEN', inboxKey)
for _, kept in ipairs(redis.call('HVALS', KEYS[5])) do backlog = backlog + kept end
local now = nowMs()
local at = int(now)

-- A tenant may have four times as many kept back as there is room for still (a dynamic threshold, Choudhury and Hahne, 1998): one alone
-- four fifths of all, and however many tenants have all that they may, another still finds room.
local function isFull(cnpj, count)
  if backlog + count > limit then return true end
  if backlog * 5 < limit * 4 - count then return false end
  return tonumber(redis.call('HGET', KEYS[6], cnpj) or 0) + count > 4 * (limit - backlog)
end

-- Of each queue, how many jobs the events have become.
local came = {}

local function writeJob(n, event, destination)
  local queue = destination.queue
  local about = event.id .. ' ' .. event.cnpj .. ' ' .. destination.destination .. ' ' .. queue .. ' ' .. at .. ' ' .. event.type
  -- As writeChange does it, of a first change.
  local journalId = redis.call('XADD', journalKey, '*', 'change', n .. ' RECEIVED  0 0 ' .. about)
  redis.call('HSET', jobPrefix .. n, 'about', about, 'headers', event.headers, 'body', event.body, 'status', 'RECEIVED',
    'journalId', journalId, unpack(event.more))
  if destination.ordering then
    redis.call('HSET', jobPrefix .. n, 'ordering', destination.ordering)
    local line = orderPrefix .. destination.destination .. ':' .. event.cnpj .. ':' .. destination.ordering
    redis.call('ZADD', line, placeBehind(line, tonumber(n)), n)
  end
  redis.call('XADD', inboxKey, n .. '-0', 'queue', queue)
  came[queue] = (came[queue] or 0) + 1
end

-- For the first `count` of the event's destinations; `first`: the first job's number.
local function writeJobs(event, first, count)
  for d = 1, count do writeJob(int(first + d - 1), event, event.destinations[d]) end
  backlog = backlog + count
end

-- To be called last.
local function countJobs()
  for queue, count in pairs(came) do addFlow(journalKey, 'in', queue, count, now) end
end

local function publish(channel, message)
  local answer = redis.pcall('PUBLISH', channelPrefix .. channel, message)
  return type(answer) == 'table' and answer.err or nil
end

-- Tells the instances whose callers wait, but for the one that takes the event, and whoever looks on. Here, because that is a round
-- trip sooner than the instance could. A message that cannot be sent (an ACL) harms nothing else: who waits also looks.
local function tellOthers(event, id, failed, n, owners)
  local text, trouble
  for owner in string.gmatch(owners, '%S+') do
    if owner ~= event.toldBy then
      local told = { text = event.body, contentType = event.contentType, n = n, failed = failed, repliedAt = now }
      text = text or cjson.encode({ id = id, reply = event.isTold and told or cjson.null })
      trouble = publish('replies:' .. owner, text) or trouble
    end
  end
  return publish('awaited-replies:' .. event.cnpj, '"' .. id .. '"') or trouble
end

-- In the same call as the event becomes durable, so that no crash comes between the two. As recordReply, and why others could not be told.
local function recordAndTell(names, awaited, event, failed, n)
  local recorded = recordReply(names, awaited, event, failed, n, now)
  local owners = recorded[3]
  local untold = owners and event.toldBy and tellOthers(event, awaited.id, failed, n, owners)
  if untold then recorded[5] = untold end
  return recorded
end
