import { afterAll, beforeAll, expect, test } from 'vitest'
import type { UpstreamAnswer } from '../../src/sync/upstream/upstream.ts'
import { type Instance, openInstance, tenant } from '../support/awaiting.ts'
import { until } from '../support/client.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { accepted, type TestUpstream, testUpstream } from '../support/upstreams.ts'

let server: TestRedis
let one: Instance
const upstreams = ['a', 'b'].map((name) => slowUpstream(name))
beforeAll(async () => {
  server = await startTestRedis()
  one = await openInstance(
    server.url,
    upstreams.map(({ upstream }) => upstream),
  )
})
afterAll(async () => {
  await one.close()
  await server.stop()
})

type Slow = { upstream: TestUpstream; answers: ((answer: UpstreamAnswer) => void)[] }

/** Answers each call when it is told to. */
function slowUpstream(name: string): Slow {
  const answers: Slow['answers'] = []
  const answer = () => new Promise<UpstreamAnswer>((resolve) => answers.push(resolve))
  return { upstream: testUpstream({ name, answer }), answers }
}

const [a, b] = upstreams as [Slow, Slow]
const of = (cnpj: string) => ({ ...tenant, cnpj })
const begin = async (slow: Slow, cnpj: string, timeoutMs: number) => {
  const { name } = slow.upstream
  const before = slow.answers.length
  const calling = one.call({ upstream: name, tenant: of(cnpj), timeoutMs })
  await until(() => slow.answers.length > before)
  return { calling, answer: (externalId: string) => slow.answers[before]?.(accepted(externalId)) }
}
const offersOf = (cnpj: string) => `{gancho}:await-offers:${cnpj}`
/** As if its minute were over. */
async function passMinute(cnpj: string) {
  const members = await one.redis.zrange(offersOf(cnpj), 0, '-1')
  for (const member of members) await one.redis.zadd(offersOf(cnpj), '1', member)
  return members.length
}

test('an early webhook that two upstreams could mean answers one of their calls', async () => {
  const cnpj = '11222333000181'
  const first = await begin(a, cnpj, 60_000)
  const second = await begin(b, cnpj, 300)
  const { ns } = await one.webhook({ id: '7' }, { cnpj })
  expect(await one.redis.zcard(offersOf(cnpj))).toBe(2)
  first.answer('7')
  expect(await first.calling).toMatchObject({ kind: 'replied', reply: { n: ns[0] } })
  second.answer('7')
  expect((await second.calling).kind).toBe('pending')
  expect(await one.redis.get(`{gancho}:await-offer-bytes:${cnpj}`)).toBe('0')
})

test('an early webhook that is sent again after its minute answers the call', async () => {
  const cnpj = '11444777000161'
  const { calling, answer } = await begin(a, cnpj, 60_000)
  await one.webhook({ id: 'again', nth: 1 }, { cnpj })
  await passMinute(cnpj)
  await one.webhook({ id: 'again', nth: 22 }, { cnpj })
  answer('again')
  expect(await calling).toMatchObject({
    kind: 'replied',
    reply: { body: Buffer.from('{"id":"again","nth":22}') },
  })
  expect(await one.redis.get(`{gancho}:await-offer-bytes:${cnpj}`)).toBe('0')
})

test('so it does while many others have ended in that minute', async () => {
  const cnpj = '44555666000181'
  const { calling, answer } = await begin(a, cnpj, 60_000)
  const others = Array.from({ length: 110 }, (_, i) => one.webhook({ id: `a${i}` }, { cnpj }))
  await Promise.all(others)
  const early = await one.webhook({ id: 'z-again', nth: 1 }, { cnpj })
  expect(early.ns.length).toBe(1)
  await passMinute(cnpj)
  // Redis tells time by itself, and the offers carry the time at which they came.
  for (const key of await one.redis.keys(`{gancho}:await-offer:${cnpj}:*`)) await one.redis.hset(key, 'at', 1)
  await one.webhook({ id: 'z-again', nth: 22 }, { cnpj })
  // Which clears the rest away.
  await one.webhook({ id: 'other' }, { cnpj })
  answer('z-again')
  expect(await calling).toMatchObject({ reply: { body: Buffer.from('{"id":"z-again","nth":22}') } })
})

test('an event that came while calls were under way, and answered none of them, is counted once and shown', async () => {
  const cnpj = '22333444000181'
  const { calling, answer } = await begin(a, cnpj, 60_000)
  const { ns, eventId } = await one.webhook({ id: 'of-nobody' }, { cnpj })
  expect(await one.correlator.awaited.strays(cnpj)).toEqual({ count: 0, last: [] })
  expect(await passMinute(cnpj)).toBe(2)
  expect(await one.correlator.awaited.strays(cnpj)).toEqual({
    count: 1,
    last: [{ upstream: 'a', externalId: 'of-nobody', eventId, n: ns[0], at: expect.any(Number) }],
  })
  answer('its-own')
  await one.webhook({ id: 'its-own' }, { cnpj })
  expect((await calling).kind).toBe('replied')
})

test('an event whose place among the early ones another one took is shown', async () => {
  const cnpj = '33444555000181'
  const { calling, answer } = await begin(a, cnpj, 60_000)
  const filler = 'x'.repeat(3_000_000)
  const sent = []
  for (const id of ['first', 'second']) sent.push(await one.webhook({ id, filler }, { cnpj }))
  const { count, last } = await one.correlator.awaited.strays(cnpj)
  expect([count, last.map(({ eventId }) => eventId)]).toEqual([1, [sent[0]?.eventId]])
  answer('second')
  expect((await calling).kind).toBe('replied')
})
