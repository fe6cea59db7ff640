--[[
  Shared by the scripts that accept events; put in front of them, behind job.lua and awaited.lua. They have the same keys and the same
  first arguments, and answer 'EPOCH' when this is another data set than expected, or an older state of it.

  KEYS
    1 seq  2 epoch  3 inbox  4 journal  5 kept  6 kept-of
  ARGV
    1 expected epoch  2 highest number of jobs that wait to be given to workers  3 job prefix  4 idempotency prefix  5 idempotency TTL in s
    6 rate prefix  7 highest number that the caller was given  8 await prefix  9 channel prefix  10 order prefix, then for each event three:
      headers, body, and as JSON the rest (ScriptEvent in events/script-event.ts)
]]
local given = redis.call('MGET', KEYS[1], KEYS[2])
if given[2] ~= ARGV[1] or tonumber(given[1] or 0) < tonumber(ARGV[7]) then return 'EPOCH' end

local seqKey, inboxKey, journalKey = KEYS[1], KEYS[3], KEYS[4]
local limit, jobPrefix = tonumber(ARGV[2]), ARGV[3]
local awaitPrefix, channelPrefix, orderPrefix = ARGV[8], ARGV[9], ARGV[10]
local backlog = redis.call('XLEN', inboxKey)
for _, kept in ipairs(redis.call('HVALS', KEYS[5])) do backlog = backlog + kept end
local now = nowMs()
local at = int(now)

-- Jobs that the events may become, and of each queue those that they have become.
local wanted, came = 0, {}
local events = {}
for i = 11, #ARGV, 3 do
  local event = cjson.decode(ARGV[i + 2])
  event.headers, event.body = ARGV[i], ARGV[i + 1]
  wanted = wanted + #event.destinations
  events[#events + 1] = event
end

-- Numbers are taken once for all events. What is left of them goes back at the end; when an error keeps it from that, it is a gap.
local lastNumber, lastTaken
local function takeNumbers(count)
  if not lastTaken then
    lastTaken = redis.call('INCRBY', seqKey, wanted)
    lastNumber = lastTaken - wanted
  end
  lastNumber = lastNumber + count
  return lastNumber - count + 1
end

-- A tenant may have four times as many kept back as there is room for still (a dynamic threshold, Choudhury and Hahne, 1998): one alone
-- four fifths of all, and however many tenants have all that they may, another still finds room.
local function isFull(cnpj, count)
  if backlog + count > limit then return true end
  if backlog * 5 < limit * 4 - count then return false end
  return tonumber(redis.call('HGET', KEYS[6], cnpj) or 0) + count > 4 * (limit - backlog)
end

local function writeJob(n, event, destination)
  local queue = destination.queue
  local about = event.id .. ' ' .. event.cnpj .. ' ' .. destination.destination .. ' ' .. queue .. ' ' .. at .. ' ' .. event.type
  -- As writeChange does it, of a first change.
  local journalId = redis.call('XADD', journalKey, '*', 'change', n .. ' RECEIVED  0 0 ' .. about)
  redis.call('HSET', jobPrefix .. n, 'about', about, 'headers', event.headers, 'body', event.body, 'status', 'RECEIVED',
    'journalId', journalId)
  if event.contentType then redis.call('HSET', jobPrefix .. n, 'contentType', event.contentType) end
  if event.correlation then redis.call('HSET', jobPrefix .. n, 'correlation', event.correlation) end
  if destination.ordering then
    redis.call('HSET', jobPrefix .. n, 'ordering', destination.ordering)
    local line = orderPrefix .. destination.destination .. ':' .. event.cnpj .. ':' .. destination.ordering
    redis.call('ZADD', line, placeBehind(line, tonumber(n)), n)
  end
  redis.call('XADD', inboxKey, n .. '-0', 'queue', queue)
  came[queue] = (came[queue] or 0) + 1
end

-- For the first `count` of the event's destinations, and gives the first job's number.
local function writeJobs(event, count)
  if count == 0 then return 0 end
  local first = takeNumbers(count)
  for d = 1, count do writeJob(int(first + d - 1), event, event.destinations[d]) end
  backlog = backlog + count
  return first
end

-- To be called last.
local function countJobs()
  for queue, count in pairs(came) do addFlow(journalKey, 'in', queue, count, now) end
  if lastTaken and lastNumber < lastTaken then redis.call('DECRBY', seqKey, int(lastTaken - lastNumber)) end
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
