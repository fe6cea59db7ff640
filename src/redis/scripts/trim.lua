--[[
  Removes the oldest journal entries, at most `batch` of them, when there are more than `most` or when they are older than
  `oldest`, but none that history still needs. Remembers what is gone, so that a reader can tell a gap from a quiet time.

  KEYS
    1 journal  2 trimmedTo  3 projected
  ARGV
    1 most entries  2 oldest entry to keep, as ms  3 batch
  OUTPUT
    how many were removed
]]
local projected = redis.call('GET', KEYS[3])
if not projected then return 0 end
local floorMs, floorSeq = string.match(projected, '^(%d+)-(%d+)$')
floorMs, floorSeq = tonumber(floorMs), tonumber(floorSeq)
local surplus = redis.call('XLEN', KEYS[1]) - tonumber(ARGV[1])

local last, count = nil, 0
for i, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[3])) do
  local ms, seq = string.match(entry[1], '^(%d+)-(%d+)$')
  ms, seq = tonumber(ms), tonumber(seq)
  local needed = ms > floorMs or (ms == floorMs and seq > floorSeq)
  if needed or (i > surplus and ms >= tonumber(ARGV[2])) then break end
  last, count = entry[1], i
end
if not last then return 0 end
-- MINID keeps the id it is given, so that one goes by name.
redis.call('XTRIM', KEYS[1], 'MINID', last)
redis.call('XDEL', KEYS[1], last)
redis.call('SET', KEYS[2], last)
return count
