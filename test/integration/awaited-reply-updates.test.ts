import { parse, subscribe } from 'graphql'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { GraphqlContext } from '../../src/graphql/context.ts'
import { createLoaders } from '../../src/graphql/loaders.ts'
import { schema } from '../../src/graphql/schema.ts'
import type { GraphqlServices } from '../../src/graphql/services.ts'
import type { AwaitedReply } from '../../src/sync/awaited-reply.ts'
import { awaitedReplyUpdates } from '../../src/sync/awaited-reply-updates.ts'
import { memoryPubSub } from '../../src/sync/memory-pub-sub.ts'
import { type Instance, openInstance, otherTenant, tenant } from '../support/awaiting.ts'
import { until } from '../support/client.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { accepted, testUpstream } from '../support/upstreams.ts'

let server: TestRedis
const open: Instance[] = []
beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(() => server.stop())
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})
async function instance(
  ...args: Parameters<typeof openInstance> extends [string, ...infer Rest] ? Rest : never
) {
  const one = await openInstance(server.url, ...args)
  open.push(one)
  return one
}

let ids = 0
/** A call that has answered its caller as pending, seen from two instances. */
async function pendingCall() {
  ids += 1
  const externalId = `updates-${ids}`
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const [one, two] = [await instance([upstream]), await instance([upstream])]
  const outcome = await one.call({ timeoutMs: 20 })
  const { awaitId: id } = outcome as { awaitId: string }
  await one.correlator.idle()
  // By Redis' clock, which may be a moment later.
  await expect.poll(() => one.correlator.awaited.read(id)).toMatchObject({ status: 'EXPIRED' })
  return { one, two, id, at: { cnpj: tenant.cnpj, id }, externalId }
}
/** Everything that comes, and whether it has ended. */
function collect(updates: AsyncIterable<AwaitedReply>) {
  const seen: string[] = []
  const ended = (async () => {
    for await (const { status } of updates) seen.push(status)
  })()
  return { seen, ended }
}

test('a late reply is told on every instance as it comes, and ends it', async () => {
  const { one, two, at, externalId } = await pendingCall()
  const [here, there] = [collect(one.correlator.updates.of(at)), collect(two.correlator.updates.of(at))]
  await until(() => here.seen.length === 1 && there.seen.length === 1)
  const startedAt = performance.now()
  await one.webhook({ id: externalId })
  await Promise.all([here.ended, there.ended])
  expect(performance.now() - startedAt, 'by a message, not by a look').toBeLessThan(100_000)
  expect([here.seen, there.seen]).toEqual(Array(2).fill(['EXPIRED', 'LATE']))
})

test('a reply that is there already is told at once', async () => {
  const { one, at, externalId } = await pendingCall()
  await one.webhook({ id: externalId })
  const { seen, ended } = collect(one.correlator.updates.of(at))
  await ended
  expect(seen).toEqual(['LATE'])
})

test('a reply whose message was lost is told by the next look', async () => {
  const { one, at, externalId } = await pendingCall()
  const updates = awaitedReplyUpdates({
    ...{ pubSub: memoryPubSub(), awaited: one.correlator.awaited, lookEveryMs: 20 },
  })
  const { seen, ended } = collect(updates.of(at))
  await until(() => seen.length === 1)
  await one.webhook({ id: externalId })
  await ended
  expect(seen).toEqual(['EXPIRED', 'LATE'])
})

test('of another tenant nothing is told, nor of what is not there', async () => {
  const { one, at } = await pendingCall()
  for (const wrong of [
    { ...at, cnpj: otherTenant.cnpj },
    { ...at, id: 'aw_nothing' },
  ]) {
    const { seen, ended } = collect(one.correlator.updates.of(wrong))
    await ended
    expect(seen).toEqual([])
  }
})

test('whoever looks away leaves nothing behind, and a tenant costs one subscription however many look', async () => {
  const { one, at } = await pendingCall()
  let subscriptions = 0
  const carrier = memoryPubSub()
  const pubSub = {
    ...carrier,
    async subscribe(...args: Parameters<typeof carrier.subscribe>) {
      subscriptions += 1
      const end = await carrier.subscribe(...args)
      return () => {
        subscriptions -= 1
        end()
      }
    },
  }
  const updates = awaitedReplyUpdates({ pubSub, awaited: one.correlator.awaited })
  const all = Array.from({ length: 100 }, () => updates.of(at))
  await Promise.all(all.map((one) => one.next()))
  expect(subscriptions).toBe(1)
  await Promise.all(all.map((one) => one.return()))
  expect(subscriptions).toBe(0)
})

test('it ends when the instance closes', async () => {
  const { one, at } = await pendingCall()
  const { seen, ended } = collect(one.correlator.updates.of(at))
  await until(() => seen.length === 1)
  await one.correlator.updates.close()
  await ended
})

test('GraphQL subscribes to it: its tenant sees the late reply, and nobody else anything', async () => {
  const { one, id, externalId } = await pendingCall()
  const document = parse(`subscription { awaitedReply(id: "${id}") { id status payload } }`)
  const subscribeAs = (as: typeof tenant) => {
    const services = { correlator: one.correlator } as unknown as GraphqlServices
    const principal = { kind: 'tenant', tenant: as } as const
    const context = { principal, services, requestId: 'r' }
    const contextValue = { ...context, loaders: createLoaders(services, principal) } as GraphqlContext
    return subscribe({ schema, document, contextValue })
  }
  expect(await subscribeAs(otherTenant)).toMatchObject({ errors: [{ message: expect.any(String) }] })
  const updates = (await subscribeAs(tenant)) as AsyncGenerator<{ data: unknown }>
  expect((await updates.next()).value).toMatchObject({ data: { awaitedReply: { id, status: 'EXPIRED' } } })
  const next = updates.next()
  await one.webhook({ id: externalId, late: true })
  expect((await next).value).toMatchObject({
    data: { awaitedReply: { status: 'LATE', payload: { late: true } } },
  })
  expect((await updates.next()).done).toBe(true)
})
