--[[
  Tells how many events a tenant has spent of its burst, a begun one as a whole one.

  KEYS
    1 rate:<cnpj>
  ARGV
    1 rate, in thousandths of an event a second  2 burst
  OUTPUT
    the number
]]
local bucket = readBucket(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), nowMs())
return math.ceil(bucket.spent / eventCost)
