import { setTimeout as wait } from 'node:timers/promises'

/** When the sample upstream calls back: as it should, or in one of the ways in which real ones go wrong. */
export const simulations = ['normal', 'early', 'late', 'double', 'missing', 'failing'] as const
export type Simulation = (typeof simulations)[number]

/** `id`: of what was asked for. */
export type Callback = { id: string; url: string | undefined; asked: unknown; simulate: Simulation }

export type Callbacks = {
  /** Calls back, and resolves when that is over; the next one only starts after the delay of `simulate`. */
  run(callback: Callback): Promise<void>
  /** Breaks off what is under way, and makes no more. */
  close(): void
}

type Options = {
  /** Milliseconds until a callback; until one that is to be late. */
  delayMs: number
  lateMs: number
  log: { info(message: string): void }
}

const answerWithinMs = 5_000

export function createCallbacks({ delayMs, lateMs, log }: Options): Callbacks {
  const closing = new AbortController()
  const delays: Record<Simulation, readonly number[]> = {
    normal: [delayMs],
    early: [0],
    late: [lateMs],
    double: [delayMs, 0],
    missing: [],
    failing: [delayMs],
  }
  return {
    async run(callback) {
      const { id, simulate } = callback
      if (simulate === 'missing') log.info(`Sample upstream never calls back for ${id}.`)
      for (const ms of delays[simulate]) {
        if (!(await passed(ms, closing.signal))) return
        log.info(`Sample upstream called back for ${id}: ${await callBack(callback, closing.signal)}`)
      }
    },
    close: () => closing.abort(),
  }
}

/** False when it was broken off. */
function passed(ms: number, signal: AbortSignal): Promise<boolean> {
  return wait(ms, true, { signal }).catch(() => false)
}

/** What came of it, without the address, which is a secret. */
async function callBack(callback: Callback, closing: AbortSignal): Promise<string> {
  if (!callback.url) return 'there is no callback URL'
  try {
    const { status } = await fetch(callback.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(replyTo(callback)),
      signal: AbortSignal.any([closing, AbortSignal.timeout(answerWithinMs)]),
    })
    return `answered ${status}`
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string }
    return `no answer (${code ?? (error as Error).name})`
  }
}

function replyTo({ id, asked, simulate }: Callback) {
  if (simulate === 'failing')
    return { id, status: 'FAILED', error: 'It was told to fail, by simulate.', for: asked }
  return { id, status: 'READY', qrCode: `sample:${id}`, for: asked }
}
