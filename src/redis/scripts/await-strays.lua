--[[
  The events that looked like a reply and answered nothing, those among them whose time to be claimed is over.

  KEYS
    1 await-counts:<cnpj>
  ARGV
    1 await prefix  2 cnpj
  OUTPUT
    {number of them, JSON of each of the last ones}
]]
local names = offerNames(ARGV[1], ARGV[2])
endOffers(names, nowMs())
return { redis.call('HGET', names.counts, 'strays') or '0', redis.call('LRANGE', names.strays, 0, -1) }
