--[[
  Remembers how far history has come. Deletes first, which lets a full Redis take the rest: from here memory is freed.

  KEYS
    1 projected
  ARGV
    1 journal id
]]
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
