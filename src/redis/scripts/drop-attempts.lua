--[[
  Drops attempts that history has from the lists of jobs that go on, so that a destination that is down for days does not fill
  Redis with the answers it gave. Goes by the attempts' numbers: a second caller with an older view drops nothing that is new.

  KEYS
    1 any key of intake's hash tag
  ARGV
    1 job prefix, then pairs: n, number of the newest attempt that history has
  OUTPUT
    how many were dropped
]]
local dropped = 0
for a = 2, #ARGV, 2 do
  local attemptsKey, newest = ARGV[1] .. ARGV[a] .. ':attempts', tonumber(ARGV[a + 1])
  local first = redis.call('LINDEX', attemptsKey, 0)
  while first and cjson.decode(first).number <= newest do
    redis.call('LPOP', attemptsKey)
    dropped = dropped + 1
    first = redis.call('LINDEX', attemptsKey, 0)
  end
end
return dropped
