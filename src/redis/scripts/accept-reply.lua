--[[
  Makes an event durable that names the awaited reply that it is: as accept.lua, but one alone, without rate and idempotency key. Apart,
  because a caller waits for it, and in pieces, because little else is as seldom run and waited for: what Redis has not done for some
  milliseconds takes it four times as long, and reading JSON a fifth of that. A repeat, or a reply to nothing, is counted and is no event.

  KEYS
    see accepting.lua
  ARGV
    see accepting.lua, then
    8 awaited reply  9 '1' when it reports failure  10 event id  11 CNPJ  12 type  13 headers  14 body  15 content type  16 '' or correlation
    17 '' or the instance that takes it, when others are to be told here  18 '1' when they are told of the body, too
    and for each destination three: its name, its queue, '' or the ordering key's hash
  OUTPUT
    'EPOCH' | 'FULL'
    ''             it answers nothing
    'DUPLICATE'    another event had answered before
    status, first number, number of jobs, time of the reply and instances whose callers wait, with blanks between them
    {the same, why others could not be told}
]]
local eventId, cnpj = ARGV[10], ARGV[11]
local names = awaitNames(awaitPrefix, cnpj)
local awaited = readAwaited(names, ARGV[8])
if not awaited then return '' end

local destinations = {}
for i = 19, awaited.answered and 0 or #ARGV, 3 do
  destinations[#destinations + 1] = { destination = ARGV[i], queue = ARGV[i + 1], ordering = ARGV[i + 2] ~= '' and ARGV[i + 2] }
end
local count = #destinations
if count > 0 and isFull(cnpj, count) then return 'FULL' end
local more = { 'contentType', ARGV[15] }
if ARGV[16] ~= '' then more[3], more[4] = 'correlation', ARGV[16] end
local event = { id = eventId, cnpj = cnpj, type = ARGV[12], headers = ARGV[13], body = ARGV[14], more = more,
  contentType = ARGV[15], destinations = destinations, toldBy = ARGV[17] ~= '' and ARGV[17], isTold = ARGV[18] == '1' }
local first = count > 0 and redis.call('INCRBY', seqKey, count) - count + 1 or 0
writeJobs(event, first, count)
local recorded = recordAndTell(names, awaited, event, ARGV[9] == '1', int(first))
countJobs()
if recorded[2] == 'DUPLICATE' then return 'DUPLICATE' end
local answer = table.concat({ recorded[2], int(first), count, recorded[4], recorded[3] or '' }, ' ')
return recorded[5] and { answer, recorded[5] } or answer
