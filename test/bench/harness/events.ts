import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { keys } from '../../../src/redis/keys.ts'
import { clientsOf } from '../../support/fleet.ts'
import type { GanchoProcess } from '../../support/gancho.ts'
import { startReceiver } from '../../support/receiver.ts'
import type { Target } from '../load/posts.ts'
import { measuredFleet } from './redis.ts'
import type { Checkout } from './scenario.ts'

/** An event of 350 bytes. */
export const eventBody = JSON.stringify({
  ...{ order: 'A-1029384', status: 'PAID', amount: 19.9, currency: 'BRL', at: '2026-01-01T12:00:00.000Z' },
  customer: { id: 'c-4711', name: 'Maria da Silva', document: '12345678909' },
  note: 'x'.repeat(170),
})

export const jsonHeaders = { 'content-type': 'application/json' }

/** A new tenant's events to this gateway. */
export async function targetOf(gateway: GanchoProcess): Promise<Target> {
  const { token } = await clientsOf(gateway)
  const headers = { ...jsonHeaders, authorization: `Bearer ${token}` }
  return { origin: gateway.origin, path: '/webhook', headers, body: eventBody }
}

export type OneProcess = {
  target: Target
  node: number
  redis: number
  /** SQLite file with the rows of delivered jobs. */
  file: string
  data: Redis
  close(): Promise<void>
}

/** Over a Redis of its own, set as the embedded one is. The receiver of tests is not used: it keeps what it gets. */
export async function openBenchFleet(checkout: Checkout['url']) {
  const receiver = await startReceiver((response) => response.end())
  return measuredFleet({ receiver, checkout })
}

/** Of a process that delivers to this receiver, and in which nothing runs out while the machine is busy. */
export const settingsFor = (destination: string, profiled: Record<string, string>) => ({
  ...{ LOG_LEVEL: 'error', DESTINATION_URL: destination, ATTEMPT_TIMEOUT_MS: '30000' },
  ...{ LOCK_DURATION_MS: '30000', SWEEP_INTERVAL_MS: '30000', ...profiled },
})

/** Gancho in one process that also delivers, over a Redis and a history of its own. */
export async function startOneProcess(
  { url }: Pick<Checkout, 'url'>,
  destination: string,
  profiled: Record<string, string>,
): Promise<OneProcess> {
  const fleet = await openBenchFleet(url)
  const settings = settingsFor(destination, profiled)
  const gancho = await fleet.start('all', settings)
  return {
    target: await targetOf(gancho),
    ...{ node: gancho.pid, redis: fleet.redis.pid, data: fleet.data },
    file: join(fleet.env.DATA_DIR ?? '', 'gancho.db'),
    async close() {
      await gancho.stop()
      await fleet.close()
    },
  }
}

/** Takes away what nobody dispatched, so that every measurement finds the same. */
export async function clearInbox(data: Redis): Promise<void> {
  for (const stream of [keys.inbox, keys.journal]) await data.xtrim(stream, 'MAXLEN', 0)
  let cursor = '0'
  do {
    const [next, found] = await data.scan(cursor, 'MATCH', `${keys.jobPrefix}*`, 'COUNT', 5_000)
    cursor = next
    if (found.length > 0) await data.unlink(...found)
  } while (cursor !== '0')
}

export async function usedMemory(data: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await data.info('memory'))?.[1])
}
