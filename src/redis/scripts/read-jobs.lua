--[[
  Reads jobs as history keeps them, each at one moment: a call for many costs the caller and Redis less than commands for each.

  KEYS
    1 any key of intake's hash tag
  ARGV
    1 job prefix  2 bytes of bodies and attempts after which it stops, then pairs: n, '1' when the body is wanted
  OUTPUT
    for each job in its order, until it stops: {} when there is no record, else
      {JSON array of the fields, in the order of `fieldNames` in `job-records.ts`, false for one that is not set, body or '', attempt, …}
]]
local jobs, size = {}, 0
for a = 3, #ARGV, 2 do
  local recordKey, job = ARGV[1] .. ARGV[a], {}
  local values = redis.call('HMGET', recordKey, 'about', 'correlation', 'contentType', 'headers', 'status', 'round', 'attempts',
    'updatedAt', 'nextAttemptAt', 'deliveredAt', 'requeuedAt', 'reported', 'failure', 'journalId', 'rounds')
  if values[5] then
    values[1] = aboutOf(recordKey, values[1])
    job[1] = cjson.encode(values)
    job[2] = ARGV[a + 1] == '1' and redis.call('HGET', recordKey, 'body') or ''
    size = size + #job[2]
    -- Without an attempt that was begun there is none to tell of.
    if (values[7] or '0') ~= '0' then
      for i, attempt in ipairs(redis.call('LRANGE', recordKey .. ':attempts', 0, -1)) do
        job[2 + i] = attempt
        size = size + #attempt
      end
    end
  end
  jobs[#jobs + 1] = job
  if size >= tonumber(ARGV[2]) then break end
end
return jobs
