--[[
  What keeps jobs from destinations now, for people. Changes nothing.

  KEYS
    none
  ARGV
    1 nothing  2 prefix of the keys of gates, then destinations
  OUTPUT
    an array with one entry a destination: {state of its breaker, failure rate, since when it is open, when it is tried again,
      why it is shut ('' when it is not), until when, attempts a second (0 for any number), when the next turn under that rate is}
    Failure rates are texts, '' where nothing was attempted within the last minute; times are ms, 0 where there is none.
]]
local now, answers = nowMs(), {}
for a = 3, #ARGV do
  local gate = readGate(ARGV[a], now)
  local stored = redis.call('HMGET', gate.key, 'failureRate', 'openedAt', 'nextTurn')
  local isOpen = gate.breaker.state == 'open' or gate.breaker.state == 'half-open'
  local all, faults = countAttempts(gate.key, now)
  local failureRate = isOpen and stored[1] or (all > 0 and string.format('%.4f', faults / all) or '')
  local nextTurn = gate.rate > 0 and tonumber(stored[3] or 0) - burstOf(gate) or 0
  answers[a - 2] = { gate.breaker.state, failureRate, isOpen and tonumber(stored[2]) or 0, isOpen and gate.breaker.probesAt or 0,
    gate.why or '', gate.shutUntil or 0, gate.rate, math.max(0, math.ceil(nextTurn)) }
end
return answers
