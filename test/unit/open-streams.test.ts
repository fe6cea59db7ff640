import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { type OpenStreams, openStreams } from '../../src/http/open-streams.ts'
import type { Admitted } from '../../src/tenants/identity.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import type { Place } from '../../src/tenants/stream-places.ts'
import { eventually } from '../support/eventually.ts'

const admin: Principal = { kind: 'admin', name: 'admin', access: 'full' }
const admitted: Admitted = {
  claim: { identity: { kind: 'admin', name: 'admin' }, from: { headers: {}, socket: {} } },
  principal: admin,
}
const tenant: Principal = {
  kind: 'tenant',
  tenant: { cnpj: '1', name: 'T', active: true, settings: {}, createdAt: 0, updatedAt: 0 },
}
const ticket = { hash: 'h', identity: admitted.claim.identity }

let opened: OpenStreams | undefined
afterEach(() => opened?.drain(0))

function open(options: { max?: number; ask?: () => Principal; renewMs?: number } = {}) {
  let ids = 0
  const calls = { renewed: [] as number[], givenBack: [] as Place[], tickets: [] as string[] }
  const streams = openStreams({
    identities: { ask: options.ask ?? (() => admin), endsAt: () => null },
    places: {
      take: async (cnpj) => ({ cnpj, id: String(++ids) }),
      renew: async (places) => void calls.renewed.push(places.length),
      giveBack: async (places) => void calls.givenBack.push(...places),
      used: async () => 0,
    },
    tickets: { renew: async (used) => void calls.tickets.push(...used.map(({ hash }) => hash)) },
    log: pino({ level: 'silent' }),
    max: options.max ?? 100,
    renewMs: options.renewMs ?? 10,
  })
  opened = streams
  return { streams, calls }
}
const code = (expected: string) => expect.objectContaining({ code: expected })

test('a process takes no more subscriptions and connections than it is told, and others when some are over', async () => {
  const { streams } = open({ max: 2 })
  const giveBack = await streams.take(admin)
  await streams.take(tenant)
  await expect(streams.take(admin)).rejects.toEqual(code('TOO_MANY_STREAMS'))
  giveBack()
  // Twice is as good as once.
  giveBack()
  await streams.take(admin)
  await expect(streams.take(admin)).rejects.toEqual(code('TOO_MANY_STREAMS'))

  const watcher = { end: () => undefined }
  const stop = await streams.watch(admitted, watcher)
  await streams.watch(admitted, watcher)
  await expect(streams.watch(admitted, watcher)).rejects.toEqual(code('TOO_MANY_STREAMS'))
  stop()
  await streams.watch(admitted, watcher)
})

test('a tenant’s places are renewed while they are held, and given back', async () => {
  const { streams, calls } = open()
  const [first, second] = [await streams.take(tenant), await streams.take(tenant)]
  await streams.take(admin)
  await eventually(() => expect(calls.renewed.at(-1)).toBe(2))
  first()
  second()
  await eventually(() => expect(calls.givenBack.map(({ id }) => id)).toEqual(['1', '2']))
  await eventually(() => expect(calls.renewed.at(-1)).toBe(0))
})

test('a ticket is renewed while a stream is open that it opened, once for all of them', async () => {
  const { streams, calls } = open()
  const watcher = { end: () => undefined }
  const stops = [
    await streams.watch(admitted, watcher, ticket),
    await streams.watch(admitted, watcher, ticket),
  ]
  calls.tickets.length = 0
  calls.renewed.length = 0
  await eventually(() => expect(calls.renewed.length).toBeGreaterThan(3))
  // One may be in hand when the counting begins.
  expect(calls.tickets.length).toBeLessThanOrEqual(calls.renewed.length + 1)
  expect(calls.tickets.length).toBeGreaterThan(0)
  for (const stop of stops) stop()
  calls.tickets.length = 0
  calls.renewed.length = 0
  await eventually(() => expect(calls.renewed.length).toBeGreaterThan(3))
  expect(calls.tickets).toEqual([])
})

test('a ticket holds for its whole time from the moment in which a stream opened by it is watched', async () => {
  const { streams, calls } = open({ renewMs: 600_000 })
  await eventually(() => expect(calls.renewed, 'what is renewed now and then').toHaveLength(1))
  await streams.watch(admitted, { end: () => undefined }, ticket)
  expect(calls.tickets).toEqual([ticket.hash])
})

test('what was refused between being admitted and being watched is refused, and leaves nothing behind', async () => {
  const refused = () => {
    throw new GanchoError('TENANT_INACTIVE')
  }
  const { streams } = open({ max: 1, ask: refused })
  const watcher = { end: () => undefined }
  await expect(streams.watch(admitted, watcher)).rejects.toEqual(code('TENANT_INACTIVE'))
  await expect(streams.watch(admitted, watcher)).rejects.toEqual(code('TENANT_INACTIVE'))
})

test('a stop ends connections one after the other, waits until they are closed, and takes no new ones', async () => {
  const { streams } = open({ max: 1_000 })
  const ends: number[] = []
  for (let n = 0; n < 60; n++) {
    const stop = await streams.watch(admitted, {
      end(error) {
        expect(error.code).toBe('SHUTTING_DOWN')
        ends.push(performance.now())
        setTimeout(() => stop(), 20)
      },
    })
  }
  const giveBack = await streams.take(tenant)
  const drained = streams.drain(10_000)
  await expect(streams.take(admin)).rejects.toEqual(code('SHUTTING_DOWN'))
  await expect(streams.watch(admitted, { end: () => undefined })).rejects.toEqual(code('SHUTTING_DOWN'))
  await drained
  expect(ends.length).toBe(60)
  expect(new Set(ends.map((at) => Math.round(at / 25))).size).toBeGreaterThan(5)
  giveBack()
})

test('a stop waits no longer than it may for those that do not close', async () => {
  const { streams } = open()
  for (let n = 0; n < 50; n++) await streams.watch(admitted, { end: () => undefined })
  const begun = performance.now()
  await streams.drain(200)
  expect(performance.now() - begun).toBeLessThan(30_000)
})
