--[[
  Ties this Redis data set to one history database and makes sure that no number is given twice.

  KEYS
    1 epoch  2 history  3 seq
  ARGV
    1 epoch to use when there is none  2 id of the history database  3 highest number in that history
    4 how far to jump beyond it when the data set is new: numbers that were given but never reached history
  OUTPUT
    {'ok', epoch, '1' when the data set is new} | {'other', id of the history database that it belongs to}
]]
local epoch, history = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if history and history ~= ARGV[2] then return { 'other', history } end
local highest, isNew = tonumber(ARGV[3]), not epoch
if isNew then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
  redis.call('SET', KEYS[2], ARGV[2])
  if highest > 0 then highest = highest + tonumber(ARGV[4]) end
end
if highest > tonumber(redis.call('GET', KEYS[3]) or 0) then
  redis.call('SET', KEYS[3], string.format('%.0f', highest))
end
return { 'ok', epoch, isNew and '1' or '0' }
