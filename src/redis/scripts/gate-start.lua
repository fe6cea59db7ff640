--[[
  Whether an attempt may begin, as far as its destination goes; put in front of the scripts that begin some, after `gate`.
]]
-- A turn that was not taken by then is lost.
local rateKeptMs = 1000
-- When a job is asked for again that waits for others, and not for a time.
local soonMs = 1000

-- When this job may be sent: now, or when its turn is (the generic cell rate algorithm, ITU-T I.371); nil when that is too far off.
-- A tenth of a second's worth may go at once.
local function rateTurn(gate, recordKey, now)
  local slot = tonumber(redis.call('HGET', recordKey, 'slot') or 0)
  if slot > now then return slot end
  if slot > 0 then
    redis.call('HDEL', recordKey, 'slot')
    if slot > now - rateKeptMs then return now end
  end
  local gapMs = 1000 / gate.rate
  local burstMs = burstOf(gate)
  local next = math.max(now, tonumber(redis.call('HGET', gate.key, 'nextTurn') or 0))
  -- Whose rate was raised does not wait as for the old one.
  next = math.min(next, now + rateAheadMs + burstMs + gapMs)
  local turn = math.max(now, math.ceil(next - burstMs))
  if turn > now + rateAheadMs then return nil end
  redis.call('HSET', gate.key, 'nextTurn', string.format('%.3f', next + gapMs))
  if turn > now then redis.call('HSET', recordKey, 'slot', int(turn)) end
  return turn
end

-- Whether an attempt of this job may begin now: nil | {'wait', until}: the worker asks again then | {'hold', until, why}: the job goes
-- back to the front of its backlog as HELD.
local function gateAtStart(dest, n, recordKey, leaseMs, now)
  local gate = readGate(dest, now)
  if gate.why then return { 'hold', gate.shutUntil, gate.why } end
  -- Those that come back after a delay are as many as there are.
  if gate.breaker.state == 'closing' and deliveriesOf(dest, now) >= breakerLimit(gate.breaker, now) then
    return { 'hold', now + soonMs, 'BREAKER' }
  end
  if gate.rate > 0 then
    local turn = rateTurn(gate, recordKey, now)
    if not turn then return { 'hold', now + rateAheadMs, 'RATE' } end
    if turn > now then return { 'wait', turn } end
  end
  local lets, askAt = breakerLets(gate.breaker, n, leaseMs, now)
  if not lets then return { 'hold', askAt, 'BREAKER' } end
  return nil
end

-- Whoever has longer for its attempt is a probe for longer.
local function extendProbe(dest, n, leaseMs, now)
  local probes = gateKey(dest) .. ':probes'
  if redis.call('ZADD', probes, 'XX', 'CH', int(now + leaseMs), n) == 1 then redis.call('PEXPIRE', probes, int(leaseMs)) end
end
