import type { AttemptTiming } from './job.ts'

export const phaseNames = ['DNS', 'CONNECT', 'TLS', 'WAITING', 'RECEIVING'] as const

export type TimingPhase = { name: (typeof phaseNames)[number]; startMs: number; durationMs: number }

/**
 * An attempt as bars of a waterfall, one behind the other, over its whole time. What no phase was measured for belongs to the answer
 * once its first byte was there, and to the wait for it until then.
 */
export function phasesOf({ dnsMs, connectMs, tlsMs, firstByteMs, totalMs }: AttemptTiming): TimingPhase[] {
  const measured = { DNS: dnsMs, CONNECT: connectMs, TLS: tlsMs, WAITING: firstByteMs }
  const phases: TimingPhase[] = []
  let endMs = 0
  const add = (name: TimingPhase['name'], durationMs: number | null) => {
    if (durationMs === null) return
    // The parts are rounded each for itself.
    const withinMs = Math.max(0, Math.min(tenths(durationMs), tenths(totalMs - endMs)))
    phases.push({ name, startMs: endMs, durationMs: withinMs })
    endMs = tenths(endMs + withinMs)
  }
  for (const name of ['DNS', 'CONNECT', 'TLS', 'WAITING'] as const) add(name, measured[name])
  add(firstByteMs === null ? 'WAITING' : 'RECEIVING', totalMs - endMs)
  return phases
}

const tenths = (ms: number) => Math.round(ms * 10) / 10
