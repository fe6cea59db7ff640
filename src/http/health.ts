import { setTimeout as sleep } from 'node:timers/promises'

export type Check = () => Promise<unknown>

export type HealthChecks = {
  /** Ready only while these answer. */
  required: Record<string, Check>
  /** Told, without a say in readiness. */
  told: Record<string, Check>
}

export type Health = { ready: boolean; checks: Record<string, 'ok' | 'unavailable'> }

const timeoutMs = 2_000

/** Asks everything at once, each for 2 s at most. */
export async function checkHealth({ required, told }: HealthChecks): Promise<Health> {
  const checks: Health['checks'] = {}
  const ask = async ([name, check]: [string, Check]) => {
    checks[name] = (await answers(check)) ? 'ok' : 'unavailable'
  }
  await Promise.all([...Object.entries(required), ...Object.entries(told)].map(ask))
  return { ready: Object.keys(required).every((name) => checks[name] === 'ok'), checks }
}

async function answers(check: Check): Promise<boolean> {
  const timer = new AbortController()
  const late = sleep(timeoutMs, false, { signal: timer.signal }).catch(() => false)
  try {
    return await Promise.race([check().then(() => true), late])
  } catch {
    return false
  } finally {
    timer.abort()
  }
}
