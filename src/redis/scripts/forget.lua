--[[
  Deletes records that nobody needs any more, and only those that did not change since the caller looked.

  KEYS
    1 due
  ARGV
    1 job prefix  2 ms for which the last round is remembered  3 statuses that may go, separated by blanks
    then pairs: n, journal id of the last change that the caller knows
  OUTPUT
    how many were deleted
]]
local deleted = 0
for a = 4, #ARGV, 2 do
  local n, recordKey = ARGV[a], ARGV[1] .. ARGV[a]
  local record = redis.call('HMGET', recordKey, 'status', 'journalId', 'round')
  local mayGo = record[1] and string.find(ARGV[3], record[1], 1, true)
  if mayGo and record[2] == ARGV[a + 1] then
    -- First what frees memory: a full Redis refuses a script whose first write may need some.
    redis.call('DEL', recordKey, recordKey .. ':attempts')
    -- Of a job with one round alone nobody has read an older one.
    if record[3] and record[3] ~= '0' then redis.call('SET', recordKey .. ':past', record[3], 'PX', ARGV[2]) end
    redis.call('ZREM', KEYS[1], n)
    deleted = deleted + 1
  end
end
return deleted
