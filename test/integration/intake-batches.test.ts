import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Router } from '../../src/events/routing.ts'
import { keys } from '../../src/redis/keys.ts'
import { type Core, openCore, sampleEvent } from '../support/core.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

const threeForInvoices: Router = ({ eventType }) => {
  if (eventType === 'nobody.cares') return []
  if (eventType === 'odd') throw new RangeError('no way for this one')
  const names = eventType === 'invoice' ? ['erp', 'nifi', 'archive'] : ['nifi']
  return names.map((destination) => ({ destination, queue: 'nifi' }))
}

let server: TestRedis
let core: Core
let other: Core
beforeAll(async () => {
  server = await startTestRedis()
  core = await openCore(server.url, { route: threeForInvoices })
  other = await openCore(server.url, { route: threeForInvoices })
  // The first call brings the script to Redis, later ones name it.
  for (const { accept } of [core, other, core]) await accept()
})
afterAll(async () => {
  await Promise.all([core.close(), other.close()])
  await server.stop()
})

const scriptCalls = async () =>
  Number(/cmdstat_evalsha:calls=(\d+)/.exec(await core.redis.info('commandstats'))?.[1])

/** How many scripts Redis ran while the events were accepted, and the numbers they got. */
async function acceptAll(count: number, body = sampleEvent.body) {
  const before = await scriptCalls()
  const ns = await Promise.all(Array.from({ length: count }, () => core.accept({ body })))
  return { ns, calls: (await scriptCalls()) - before }
}

test('all requests of one event-loop turn cost one script call, whatever each waited for within it', async () => {
  const before = await scriptCalls()
  const accepts = Array.from({ length: 150 }, async (_, i) => {
    for (let step = 0; step < i % 5; step += 1) await undefined
    return core.accept()
  })
  const ns = await Promise.all(accepts)
  expect((await scriptCalls()) - before).toBe(1)
  expect(new Set(ns).size).toBe(150)
  expect(Math.max(...ns) - Math.min(...ns)).toBe(149)
})

test('a call takes at most 200 events, so that Redis serves others in between', async () => {
  const { ns, calls } = await acceptAll(450)
  expect(calls).toBe(3)
  expect(ns).toEqual(ns.map((_, i) => (ns[0] ?? 0) + i))
})

test('bodies of more than 4 MiB together are split over several calls', async () => {
  const { ns, calls } = await acceptAll(6, Buffer.alloc(1024 * 1024, 'x'))
  expect(calls).toBe(2)
  expect(new Set(ns).size).toBe(6)
})

test('two instances that accept at once give every number once and leave none out', async () => {
  const last = Number(await core.redis.get(keys.seq))
  const ns: number[] = []
  for (let turn = 0; turn < 10; turn += 1) {
    const accepts = Array.from({ length: 60 }, (_, i) => (i % 2 ? core : other).accept())
    ns.push(...(await Promise.all(accepts)))
  }
  expect(ns.sort((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, i) => last + 1 + i))
})

test('numbers that events of a call do not need, because they repeat others, go to the next ones', async () => {
  const repeated = { eventType: 'invoice', idempotencyKey: 'the same' }
  const ns = await Promise.all([core.accept(), core.accept(repeated), core.accept(repeated), core.accept()])
  const [first = 0] = ns
  expect(ns).toEqual([first, first + 1, first + 1, first + 4])
  expect(await core.accept()).toBe(first + 5)
})

test('half a character in what one event may answer, cut or sent, harms none of its call', async () => {
  const candidate = { upstream: 'pix', failed: false, deliver: true }
  const externalIds = [`${'x'.repeat(199)}😀`, 'cut before \udc00']
  const accepts = externalIds.map((externalId) => core.accept({ candidates: [{ ...candidate, externalId }] }))
  const [first = 0, ...others] = await Promise.all([...accepts, core.accept()])
  expect(others).toEqual([first + 1, first + 2])
})

test.each([
  ['an event', {}],
  ['a reply that is named itself', { named: { awaitId: 'aw_none', failed: false, deliver: true } }],
])('what goes wrong with %s before Redis is asked is not put down to Redis', async (_, what) => {
  await expect(core.accept({ ...what, eventType: 'odd' })).rejects.toThrow('no way for this one')
})

test('a Redis that has forgotten the scripts is brought them again, and each event is accepted once', async () => {
  const last = Number(await core.redis.get(keys.seq))
  await core.redis.script('FLUSH')
  const ns = await Promise.all([core.accept(), other.accept()])
  ns.push(await core.accept())
  expect(ns.sort((a, b) => a - b)).toEqual([last + 1, last + 2, last + 3])
})

test('an event for three destinations is three jobs in a row that share its id', async () => {
  const { eventId, ns } = await core.intake.accept({ ...sampleEvent, eventType: 'invoice' })
  expect(ns).toEqual([ns[0], Number(ns[0]) + 1, Number(ns[0]) + 2])
  const jobs = await core.records.jobs(ns)
  expect(jobs.map((job) => [job.destination, job.eventId])).toEqual([
    ['erp', eventId],
    ['nifi', eventId],
    ['archive', eventId],
  ])
})

test('an event that no destination wants is answered and takes no number', async () => {
  const last = await core.redis.get(keys.seq)
  const accepted = await core.intake.accept({ ...sampleEvent, eventType: 'nobody.cares' })
  expect(accepted).toMatchObject({ ns: [], repeated: false })
  expect(await core.redis.get(keys.seq)).toBe(last)
})

test('what was accepted can be read at once, is in the inbox, and its change is in the journal', async () => {
  const { eventId, ns } = await core.intake.accept(sampleEvent)
  const [n = 0] = ns
  const { cnpj, eventType, correlationId, contentType, headers } = sampleEvent
  expect(await other.job(n)).toMatchObject({
    ...{
      n,
      eventId,
      cnpj,
      eventType,
      correlationId,
      contentType,
      headers,
      destination: 'nifi',
      queue: 'nifi',
    },
    ...{ status: 'RECEIVED', round: 0, attempts: 0, nextAttemptAt: null, deliveredAt: null, failure: null },
  })
  expect((await core.redis.xrange(keys.inbox, `${n}-0`, `${n}-0`)).length).toBe(1)
  expect(await core.journal(n)).toEqual([
    {
      ...{
        id: expect.any(String),
        n,
        status: 'RECEIVED',
        previous: null,
        round: 0,
        attempts: 0,
        eventId,
        cnpj,
      },
      ...{ destination: 'nifi', queue: 'nifi', eventType, at: (await core.job(n))?.receivedAt },
    },
  ])
})

test.each([
  ['empty', Buffer.alloc(0)],
  ['every byte there is', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  ['a mebibyte of noise', randomBytes(1024 * 1024)],
])('a body is kept byte for byte: %s', async (_what, body) => {
  const n = await core.accept({ body, contentType: 'application/octet-stream' })
  expect(await core.records.body(n)).toEqual(body)
})

test('so is JSON beside a body of bytes, and without one', async () => {
  const json = { text: 'ação 😀 \u0000', spaced: 1 }
  const body = Buffer.from(JSON.stringify(json, undefined, 3))
  const bytes = Buffer.from([0xff, 0x00])
  const mixed = [core.accept({ body, json }), core.accept({ body: bytes, contentType: 'image/png' })]
  const [beside = 0, noJson = 0] = await Promise.all(mixed)
  const alone = await core.accept({ body, json })
  expect(await core.records.body(beside)).toEqual(body)
  expect(await core.records.body(noJson)).toEqual(bytes)
  expect(await core.records.body(alone)).toEqual(body)
})
