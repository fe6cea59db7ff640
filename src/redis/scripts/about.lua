--[[
  Shared by the scripts that read what never changes of a job; put in front of them, before `changes`.

  All of it is one field of the record, `about`: event, CNPJ, destination, queue, ms at which it was received, and type, which alone may
  have blanks in it. Each field is some 60 bytes more for every job that waits.
]]
-- Records of earlier versions have a field for each. Nil when there is no record.
local function aboutOf(recordKey, about)
  if about then return about end
  local values = redis.call('HMGET', recordKey, 'event', 'cnpj', 'destination', 'queue', 'receivedAt', 'type')
  values[6] = values[6] or ''
  return values[1] and table.concat(values, ' ') or nil
end

-- Event, CNPJ, destination, queue, ms as text, type.
local function partsOf(about)
  return string.match(about or '', '^(%S*) (%S*) (%S*) (%S*) (%S*) (.*)$')
end
