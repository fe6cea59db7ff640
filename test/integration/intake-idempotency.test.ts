import { hash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { forgetOver } from '../../src/history/forget-jobs.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { type Core, openCore, sampleEvent } from '../support/core.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let one: Core
let two: Core
beforeAll(async () => {
  server = await startTestRedis()
  ;[one, two] = await Promise.all([openCore(server.url), openCore(server.url)])
})
afterAll(async () => {
  await Promise.all([one.close(), two.close()])
  await server.stop()
})

const event = (idempotencyKey: string, text = '{"order":7}') => ({
  ...sampleEvent,
  idempotencyKey,
  body: Buffer.from(text),
})

test('the same key and body get the first answer again, and one job', async () => {
  const first = await one.intake.accept(event('a'))
  const again = await two.intake.accept(event('a'))
  expect(first.repeated).toBe(false)
  expect(again).toEqual({ ...first, repeated: true })
  expect((await one.journal(first.ns[0] ?? 0)).length).toBe(1)
  expect(await one.redis.get(keys.seq)).toBe(String(first.ns[0]))
})

test('the same key at once, twice in one call and from two instances, makes one job', async () => {
  const before = Number(await one.redis.get(keys.seq))
  const accepts = [one, one, two, two].map(({ intake }) => intake.accept(event('b')))
  const answers = await Promise.all(accepts)
  expect(answers.filter(({ repeated }) => !repeated).length).toBe(1)
  expect(new Set(answers.map(({ eventId }) => eventId)).size).toBe(1)
  expect(new Set(answers.flatMap(({ ns }) => ns))).toEqual(new Set([before + 1]))
  expect(Number(await one.redis.get(keys.seq))).toBe(before + 1)
})

test('the same key with another body is a conflict, and the event is not taken', async () => {
  await one.intake.accept(event('c'))
  const last = await one.redis.get(keys.seq)
  await expect(two.intake.accept(event('c', '{"order":8}'))).rejects.toMatchObject({
    code: 'IDEMPOTENCY_CONFLICT',
    status: 422,
  })
  expect(await one.redis.get(keys.seq)).toBe(last)
})

test('a conflict in a batch refuses that event alone', async () => {
  await one.intake.accept(event('d'))
  const answers = await Promise.allSettled([
    one.intake.accept(event('d', 'other')),
    one.intake.accept(event('d')),
    one.accept(),
  ])
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
})

test('tenants have keys of their own', async () => {
  const mine = await one.intake.accept(event('e'))
  const theirs = await one.intake.accept({ ...event('e'), cnpj: '12ABC34501DE35' })
  expect(theirs.repeated).toBe(false)
  expect(theirs.ns).not.toEqual(mine.ns)
})

test('a key is remembered for its time', async () => {
  await one.intake.accept(event('f'))
  const key = `${keys.idempotencyPrefix}${sampleEvent.cnpj}:${hash('sha256', 'f', 'base64url')}`
  expect(await one.redis.ttl(key)).toBeGreaterThan(50)
  expect(await one.redis.ttl(key)).toBeLessThanOrEqual(60)
})

test('a key that is forgotten may be used again, with another body too', async () => {
  const brief = await openCore(server.url, { idempotencyTtlSeconds: 1 })
  const first = await brief.intake.accept(event('g'))
  const later = () => brief.intake.accept(event('g', '{"order":9}')).catch(() => null)
  const again = await until(later, { what: 'forgotten' })
  expect(again).toMatchObject({ repeated: false })
  expect(again.eventId).not.toBe(first.eventId)
  await brief.close()
})

test('the first answer stands when its job is over and its record gone', async () => {
  const first = await one.intake.accept(event('h'))
  const [n = 0] = first.ns
  await one.transitions.enqueue([n])
  await one.transitions.start(n, 0, 'me', 30_000)
  await one.transitions.finish(n, 1, { status: 'DELIVERED' })
  expect(await forgetOver(one.redis)(await one.records.jobs([n]))).toBe(1)
  expect(await one.job(n)).toBeNull()
  expect(await two.intake.accept(event('h'))).toEqual({ ...first, repeated: true })
  await expect(two.intake.accept(event('h', 'other'))).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
})

test('an event for no destination is answered again as well', async () => {
  const unheard = await openCore(server.url, { route: () => [] })
  const first = await unheard.intake.accept(event('i'))
  expect(await one.intake.accept(event('i'))).toEqual({ ...first, ns: [], repeated: true })
  await unheard.close()
})
