--[[
  Makes an event durable that names the awaited reply that it is: as accept.lua, but one alone, without rate and idempotency key. Apart,
  because a caller waits for it, and Redis makes all functions of a script anew in each call. A repeat, or a reply to nothing, is counted
  and is no event.

  KEYS and ARGV
    see accepting.lua
  OUTPUT
    'EPOCH' | {'full'} | {'accepted', event id, first number, number of jobs, <reply>}, as accept.lua
]]
local event = events[1]
local names = awaitNames(awaitPrefix, event.cnpj)
local awaited = readAwaited(names, event.named.id)
if not awaited then return { 'accepted', event.id, 0, 0, {} } end
local count = awaited.answered and 0 or #event.destinations
if count > 0 and isFull(event.cnpj, count) then return { 'full' } end
local first = writeJobs(event, count)
local recorded = recordAndTell(names, awaited, event, event.named.failed, int(first))
countJobs()
return { 'accepted', event.id, first, count, recorded }
