--[[
  Ties this Redis data set to one history database and makes sure that no number is given twice.

  KEYS
    1 epoch  2 history  3 seq
  ARGV
    1 epoch to use when there is none  2 id of the history database  3 highest number known to be given
    4 how far to jump when the data set knows less than that: further numbers were given that nobody remembers
  OUTPUT
    {'ok', epoch} | {'other', id of the history database that it belongs to}
]]
local epoch, history = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if history and history ~= ARGV[2] then return { 'other', history } end
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
  redis.call('SET', KEYS[2], ARGV[2])
end
local highest = tonumber(ARGV[3])
if highest > tonumber(redis.call('GET', KEYS[3]) or 0) then
  redis.call('SET', KEYS[3], string.format('%.0f', highest + tonumber(ARGV[4])))
end
return { 'ok', epoch }
