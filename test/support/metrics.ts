import { expect } from 'vitest'
import type { RedisFigures } from '../../src/metrics/redis-figures.ts'
import { eventually } from './eventually.ts'
import type { GanchoProcess } from './gancho.ts'

/** Values by name and labels, as they are written. */
export type Samples = Map<string, number>

export const scrape = ({ origin }: Pick<GanchoProcess, 'origin'>, token = '') =>
  fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${token}` } })

export async function samplesOf(process: Pick<GanchoProcess, 'origin'>, token?: string): Promise<Samples> {
  const response = await scrape(process, token)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = (await response.text()).split('\n').filter((line) => line && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

/** Waits until these samples have these values, and returns all of that scrape: the next one may find Redis too slow to be told of. */
export const untilShown = (
  process: Pick<GanchoProcess, 'origin'>,
  expected: Record<string, number>,
  token?: string,
): Promise<Samples> =>
  eventually(async () => {
    const samples = await samplesOf(process, token)
    expect(Object.fromEntries(samples)).toMatchObject(expected)
    return samples
  }, 50)

/** A Redis at rest, with one queue. */
export function figuresOf(queue: string): RedisFigures {
  const counts = { waiting: 0, active: 0, delayed: 0, failed: 0 }
  return {
    ...{ roundTripMs: 1, memoryShare: 0, backlog: 0, journal: 0, projectorLagMs: 0, tailLagMs: 0 },
    queues: [{ name: queue, ...counts, paused: false, oldestWaitingMs: 0, openBreakers: 0 }],
  }
}
