--[[
  What the scripts have in common that change jobs; put in front of them, after `job`, `gate`, `flow` and `about`. They are the only
  writers of job records after the accept script: each checks that a change fits, writes it, appends it to the journal. Every change may
  be asked for twice (a lost answer, a second worker): the repeat is answered and changes nothing.

  Each of them is a file of its own with what it needs, because Redis makes all functions of a script anew in each call.

  KEYS
    1 journal  2 due
  ARGV
    1 job prefix  2 prefix of the keys of gates and flows  3 ms until the sweeper looks whether a job is where its record says
    4 number of changes, then for each: name, n, number of arguments, arguments
  OUTPUT
    an array with one entry a change, see each function; an error for one that failed and is apart from the others. Where it ends with
    jobs that were released, the caller adds them to BullMQ
]]
local journalKey, dueKey = KEYS[1], KEYS[2]
local jobPrefix, graceMs = ARGV[1], tonumber(ARGV[3])
local now = nowMs()

-- A job that is new has no counts yet.
local function read(recordKey)
  local values = redis.call('HMGET', recordKey, 'status', 'round', 'attempts', 'roundStart', 'owner', 'leaseUntil',
    'nextAttemptAt', 'requeuedAt', 'finished', 'report', 'looks', 'about', 'kept', 'ordering', 'startedAt', 'slot', 'heldMs')
  local about = aboutOf(recordKey, values[12])
  local event, cnpj, destination, queue, receivedAt, type = partsOf(about)
  return { status = values[1], round = tonumber(values[2] or 0), attempts = tonumber(values[3] or 0),
    roundStart = tonumber(values[4] or 0), owner = values[5], leaseUntil = tonumber(values[6] or 0),
    nextAttemptAt = tonumber(values[7] or 0), requeuedAt = tonumber(values[8] or 0), finished = tonumber(values[9] or 0),
    report = values[10], looks = tonumber(values[11] or 0), about = about, event = event, cnpj = cnpj,
    destination = destination, queue = queue, receivedAt = tonumber(receivedAt or now), type = type, kept = values[13],
    ordering = values[14], startedAt = tonumber(values[15] or now), slot = values[16], heldMs = values[17] }
end

local function readJob(n)
  local recordKey = jobPrefix .. n
  return recordKey, read(recordKey)
end

-- Of a job what decides where it waits, which is far less to read.
local function readPlace(n)
  local recordKey = jobPrefix .. n
  local values = redis.call('HMGET', recordKey, 'status', 'round', 'attempts', 'requeuedAt', 'about', 'kept', 'ordering')
  local event, cnpj, destination, queue, receivedAt, type = partsOf(aboutOf(recordKey, values[5]))
  return recordKey, { status = values[1], round = tonumber(values[2] or 0), attempts = tonumber(values[3] or 0),
    requeuedAt = tonumber(values[4] or 0), event = event, cnpj = cnpj, destination = destination, queue = queue,
    receivedAt = tonumber(receivedAt or now), type = type, kept = values[6], ordering = values[7] }
end

-- How many jobs this call has had come into each queue, and leave it: written at its end.
local flowed = { ['in'] = {}, out = {} }
local function countFlow(queue, status, previous)
  local way
  if status == 'QUEUED' and (previous == 'FAILED' or previous == 'DELIVERED') then
    way = flowed['in']
  elseif status == 'DELIVERED' or status == 'FAILED' or (status == 'DISCARDED' and previous ~= 'FAILED') then
    way = flowed.out
  end
  if way then way[queue] = (way[queue] or 0) + 1 end
end

local function writeCounts()
  for way, counts in pairs(flowed) do
    for queue, count in pairs(counts) do addFlow(journalKey, way, queue, count, now) end
  end
  writeKept()
end

-- Writes the new status and what else there is (name, value, …) into the record, and appends the change to the journal.
local function write(n, recordKey, record, status, attempts, ...)
  local id = writeChange(journalKey, n, record.status,
    { status, record.round, attempts, record.event, record.cnpj, record.destination, record.queue, record.type }, int(now))
  countFlow(record.queue, status, record.status)
  redis.call('HSET', recordKey, 'status', status, 'journalId', id, 'updatedAt', int(now), ...)
end

local function append(list, name, value)
  list[#list + 1] = name
  list[#list + 1] = value
end

local function lookAt(n, inMs)
  redis.call('ZADD', dueKey, int(now + inMs), n)
end

-- What the change in hand has let go, as number, round, queue, destination, …: the caller adds it to BullMQ. Should it not, the sweeper
-- finds it. `jobs`: each {number, record}.
local released = {}
local function give(jobs)
  local at, scores, last = int(now + graceMs), {}, #released
  for i, job in ipairs(jobs) do
    local n, record = job[1], job[2]
    released[last + 1], released[last + 2], released[last + 3], released[last + 4] =
      tonumber(n), record.round, record.queue, record.destination
    last = last + 4
    scores[2 * i - 1], scores[2 * i] = at, n
  end
  redis.call('ZADD', dueKey, unpack(scores))
end

-- When a job is given up, whatever keeps it back; nil when never.
local function deadlineOf(record)
  local deadline = readGate(record.destination, now).deadline
  if deadline == 0 then return nil end
  return (record.requeuedAt > 0 and record.requeuedAt or record.receivedAt) + deadline
end

-- A job that is kept back waits for long, in a place that the same call put it into: it is looked at the less often the longer it has
-- been so, but in time to be given up.
local function lookAtKept(n, record, keptMs)
  local inMs, deadline = math.max(20 * graceMs, (keptMs or 0) / 2), deadlineOf(record)
  lookAt(n, deadline and math.min(inMs, math.max(deadline - now, graceMs)) or inMs)
end

local function admitAnd(n, recordKey, record, score)
  if admit(n, recordKey, record, score) then give({ { n, record } }) else lookAtKept(n, record) end
end

-- Whether this keeps a job from its destination for as long as that lasts: the rest passes by itself.
local function isHolding(why)
  return why ~= 'BUSY' and why ~= 'ORDER' and why ~= 'RATE'
end

local function beHeld(n, recordKey, record, why, untilMs)
  if record.status == 'HELD' then
    redis.call('HSET', recordKey, 'heldWhy', why, 'heldUntil', int(untilMs))
  else
    write(n, recordKey, record, 'HELD', record.attempts, 'heldWhy', why, 'heldUntil', int(untilMs))
  end
  redis.call('HSETNX', recordKey, 'heldSince', int(now))
end

-- Makes the changes that are asked for, by their names, and gives an answer for each: change(n, record key, record, arguments). A change
-- in `ofDestination` is one of a destination, which stands in the place of the number: change(destination, arguments).
-- With `apart` an error ends its own change alone, and is the answer to that: the others were asked for by somebody else. `readAs`: what
-- reads the records, when not all of a job needs to be known.
local function makeChanges(ofJob, ofDestination, apart, readAs)
  local function make(name, n, args)
    released = {}
    if not ofJob[name] then return ofDestination[name](n, args) end
    local recordKey, record = (readAs or readJob)(n)
    return ofJob[name](n, recordKey, record, args)
  end
  local answers, at = {}, 4
  for c = 1, tonumber(ARGV[4]) do
    local name, n, count = ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
    local args = {}
    for a = 1, count do args[a] = ARGV[at + 3 + a] end
    at = at + 3 + count
    local isMade, answer = pcall(make, name, n, args)
    -- Whatever it had got to, the next one reads anew. Before Redis 7 an error is a text.
    if not isMade then gates, flows = {}, {} end
    answers[c] = (isMade or type(answer) == 'table') and answer or redis.error_reply(answer)
    if not isMade and not apart then
      answers = answers[c]
      break
    end
  end
  writeCounts()
  return answers
end
