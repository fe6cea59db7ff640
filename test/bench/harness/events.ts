import type { Redis } from 'ioredis'
import { keys } from '../../../src/redis/keys.ts'
import { clientsOf, type Fleet } from '../../support/fleet.ts'
import type { GanchoProcess } from '../../support/gancho.ts'
import type { Target } from '../load/posts.ts'

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

export async function usedMemory({ data }: Pick<Fleet, 'data'>): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await data.info('memory'))?.[1])
}
