--[[
  Takes entries off the inbox whose jobs are in their queues. One script, because nobody would ever claim an entry that is acknowledged
  and still there.

  KEYS
    1 inbox
  ARGV
    1 consumer group, then ids of entries, 500 at most
  OUTPUT
    nothing
]]
redis.call('XACK', KEYS[1], unpack(ARGV))
redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
