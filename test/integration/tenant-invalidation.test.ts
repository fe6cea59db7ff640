import { Redis } from 'ioredis'
import pino from 'pino'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { tenantInvalidation } from '../../src/tenants/invalidation.ts'
import { eventually } from '../support/eventually.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

const log = pino({ level: 'silent' })
let redis: TestRedis
beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.stop())

function instance() {
  // What takes longer than this is not told.
  const publisher = new Redis(redis.url, { commandTimeout: 30_000, enableOfflineQueue: false })
  const subscriber = new Redis(redis.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  for (const client of [publisher, subscriber]) client.on('error', () => {})
  const heard: string[] = []
  const invalidation = tenantInvalidation({
    publisher,
    subscriber,
    onInvalidate: (cnpj) => heard.push(cnpj),
    log,
  })
  onTestFinished(() => {
    invalidation.close()
    publisher.disconnect()
    subscriber.disconnect()
  })
  const ready = () =>
    eventually(() => expect([heard.includes('*'), publisher.status]).toEqual([true, 'ready']))
  return { publisher, subscriber, heard, invalidation, ready }
}

it('tells every instance, the own one too, which tenant has changed', async () => {
  const [one, other] = [instance(), instance()]
  await Promise.all([one.ready(), other.ready()])
  await one.invalidation.publish('12ABC34501DE35')
  for (const { heard } of [one, other]) await eventually(() => expect(heard.at(-1)).toBe('12ABC34501DE35'))
})

it('doubts all tenants after a lost connection, and listens again', async () => {
  const [one, other] = [instance(), instance()]
  await Promise.all([one.ready(), other.ready()])
  other.heard.length = 0
  await one.publisher.client('KILL', 'TYPE', 'PUBSUB')
  await other.ready()
  await one.invalidation.publish('54550752000155')
  await eventually(() => expect(other.heard.at(-1)).toBe('54550752000155'))
})

it('does not fail a change when Redis is away', async () => {
  const one = instance()
  await one.ready()
  await redis.kill9()
  await expect(one.invalidation.publish('12ABC34501DE35')).resolves.toBeUndefined()
  one.heard.length = 0
  await redis.restart({ keepData: true })
  await one.ready()
})

it('hears nothing any more once it is closed', async () => {
  const [one, other] = [instance(), instance()]
  await Promise.all([one.ready(), other.ready()])
  one.heard.length = 0
  one.invalidation.close()
  await other.invalidation.publish('12ABC34501DE35')
  await eventually(() => expect(other.heard.at(-1)).toBe('12ABC34501DE35'))
  // The closed one's connection is still subscribed: an answer to a ping comes behind whatever was sent to it before.
  await one.subscriber.ping()
  expect(one.heard).toEqual([])
})
