--[[
  Whether a destination may be delivered to now; put in front of the transition script, after `job` and before `flow`.

  What is known of a destination is the hash <prefix>gate:<destination>. The prefix of all keys of the script's own is ARGV[2].
]]
local function gateKey(dest)
  return ARGV[2] .. 'gate:' .. dest
end

-- How many of `wanted` jobs may be given to the workers now.
local function gateAllows(_, wanted)
  return wanted
end

-- Whether an attempt may begin now: nil | {'wait', until}: the worker asks again then | {'hold', until, why}: the job goes back to
-- the front of its backlog as HELD.
local function gateAtStart(_)
  return nil
end

-- Told of each outcome: 'ok' | 'fault' | 'none'. Answers a change of the gate's own state for the caller, or ''.
local function gateAtFinish(_, _)
  return ''
end
