import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import type { UpstreamAnswer } from '../../src/sync/upstream/upstream.ts'
import { type Instance, openInstance, otherTenant, tenant } from '../support/awaiting.ts'
import { until } from '../support/client.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { accepted, testUpstream } from '../support/upstreams.ts'

let server: TestRedis
beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(() => server.stop())

const open: Instance[] = []
const instance = async (
  ...args: Parameters<typeof openInstance> extends [string, ...infer Rest] ? Rest : never
) => {
  const one = await openInstance(server.url, ...args)
  open.push(one)
  return one
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

/** The payload of an outcome that has one. */
const payloadOf = (outcome: Awaited<ReturnType<Instance['call']>>) => {
  if (!('reply' in outcome)) throw new Error(`no reply: ${JSON.stringify(outcome)}`)
  return JSON.parse(outcome.reply.body.toString())
}

let ids = 0
/** An external id that no other test uses, and a check whether a call has bound it. */
function newExternalId() {
  ids += 1
  return `ext-${ids}`
}
const bound = (one: Instance, id: string) =>
  until(async () => (await one.redis.hget(keys.await(id), 'status')) === 'BOUND', { what: `${id} is bound` })
const idOfCall = (callbackUrl = '') => callbackUrl.split('/').at(-1)?.split('.')[0] ?? ''

test('a call is answered by the webhook that names its external id, with its job', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream])
  const calling = one.call()
  await until(() => upstream.calls[0])
  const id = idOfCall(upstream.calls[0]?.callbackUrl)
  await bound(one, id)
  const { ns } = await one.webhook({ id: externalId, paid: true })
  const outcome = await calling
  expect(outcome).toMatchObject({ kind: 'replied', awaitId: id, reply: { n: ns[0], failed: false } })
  expect(payloadOf(outcome)).toEqual({ id: externalId, paid: true })
  expect(await one.correlator.awaited.read(id)).toMatchObject({
    status: 'REPLIED',
    duplicates: 0,
    externalId,
  })
})

test('a call is answered by the webhook that names its external id in X-Correlation-Id', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream])
  const calling = one.call()
  await until(() => upstream.calls[0])
  await bound(one, idOfCall(upstream.calls[0]?.callbackUrl))
  await one.webhook({ other: 1 }, { correlationId: externalId })
  expect(payloadOf(await calling)).toEqual({ other: 1 })
})

test('a webhook that comes before the upstream has told the id answers the call, thirty times in a row', async () => {
  let early: (id: string) => Promise<unknown> = async () => undefined
  const upstream = testUpstream({
    async answer() {
      const externalId = newExternalId()
      await early(externalId)
      return accepted(externalId)
    },
  })
  const [one, two] = [await instance([upstream]), await instance([upstream])]
  for (let turn = 0; turn < 30; turn += 1) {
    early = (id) => (turn % 2 ? one : two).webhook({ id, turn })
    expect(payloadOf(await one.call())).toMatchObject({ turn })
  }
})

test('a callback URL answers its call, also before the upstream has answered', async () => {
  let callback: (url: string) => Promise<unknown> = async () => undefined
  const upstream = testUpstream({
    async answer({ callbackUrl }) {
      await callback(callbackUrl)
      return accepted(newExternalId())
    },
  })
  const [one, two] = [await instance([upstream]), await instance([upstream])]
  callback = (url) => two.callback(url, { early: true })
  expect(payloadOf(await one.call())).toEqual({ early: true })
})

test('a repeat at the callback URL is counted and makes no job', async () => {
  const upstream = testUpstream()
  const one = await instance([upstream])
  const calling = one.call()
  const { callbackUrl } = await until(() => upstream.calls[0])
  const first = await one.callback(callbackUrl, { nth: 1 })
  const second = await one.callback(callbackUrl, { nth: 2 })
  expect([first.ns.length, second.ns.length]).toEqual([1, 0])
  expect(payloadOf(await calling)).toEqual({ nth: 1 })
  expect(await one.correlator.awaited.read(idOfCall(callbackUrl))).toMatchObject({ duplicates: 1 })
})

test('a webhook on another instance answers the call by a message, fifty times in a row', async () => {
  const upstream = testUpstream({ answer: ({ body }) => accepted(`cross-${body}`) })
  const [one, two] = [await instance([upstream]), await instance([upstream])]
  const calls = Array.from({ length: 50 }, async (_, nth) => {
    const calling = one.call({ body: Buffer.from(String(nth)) })
    const { callbackUrl } = await until(() => upstream.calls.find(({ body }) => String(body) === String(nth)))
    await bound(one, idOfCall(callbackUrl))
    await two.webhook({ id: `cross-${nth}`, nth })
    expect(payloadOf(await calling)).toMatchObject({ nth })
  })
  await Promise.all(calls)
})

test('a reply too large for a message is read by the instance that waits', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const [one, two] = [await instance([upstream]), await instance([upstream])]
  const calling = one.call()
  await bound(one, idOfCall((await until(() => upstream.calls[0])).callbackUrl))
  const text = 'x'.repeat(500_000)
  await two.webhook({ id: externalId, text })
  expect(payloadOf(await calling).text).toBe(text)
})

test('a reply whose message was lost is found by the poll', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream], { pollMs: 50 })
  const two = await instance([upstream], {
    pubSubOf: (pubSub) => ({ ...pubSub, throughRedis: false, publish: async () => undefined }),
  })
  const calling = one.call()
  await bound(one, idOfCall((await until(() => upstream.calls[0])).callbackUrl))
  await two.webhook({ id: externalId, lost: 'message' })
  expect(payloadOf(await calling)).toMatchObject({ lost: 'message' })
})

test('a reply whose message was lost is found when messages are heard again', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream])
  const two = await instance([upstream], {
    pubSubOf: (pubSub) => ({ ...pubSub, publish: async () => undefined }),
  })
  const calling = one.call()
  await bound(one, idOfCall((await until(() => upstream.calls[0])).callbackUrl))
  await two.webhook({ id: externalId, lost: 'message' })
  await one.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  expect(payloadOf(await calling)).toMatchObject({ lost: 'message' })
})

test('a reply whose message was lost, and that no poll has found, is found at the deadline', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream])
  const two = await instance([upstream], {
    pubSubOf: (pubSub) => ({ ...pubSub, throughRedis: false, publish: async () => undefined }),
  })
  // As long as a busy machine may take to send the webhook.
  const calling = one.call({ timeoutMs: 8_000 })
  await bound(one, idOfCall((await until(() => upstream.calls[0])).callbackUrl))
  await two.webhook({ id: externalId, lost: 'message' })
  expect(payloadOf(await calling)).toMatchObject({ lost: 'message' })
})

test('at the deadline a caller gets a handle, and the late reply is kept under it', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId), timeoutMs: 100 })
  const one = await instance([upstream])
  const outcome = await one.call({ idempotencyKey: `late-${externalId}` })
  expect(outcome).toMatchObject({ kind: 'pending', awaitId: expect.stringMatching(/^aw_[\w-]{22}$/) })
  const { awaitId } = outcome as { awaitId: string }
  // By Redis' clock, which may be a moment later.
  await expect.poll(() => one.correlator.awaited.read(awaitId)).toMatchObject({ status: 'EXPIRED' })
  await bound(one, awaitId)
  const { ns } = await one.webhook({ id: externalId, late: true })
  const byKey = await one.correlator.awaited.findByKey(tenant.cnpj, `late-${externalId}`)
  expect(byKey).toMatchObject({ id: awaitId, status: 'LATE', reply: { n: ns[0] } })
  // From its arrival on, as long as any other: the instance keeps replies for a minute.
  expect(byKey?.expiresAt).toBe((byKey?.reply?.repliedAt ?? 0) + 60_000)
  expect(await one.redis.pexpiretime(keys.await(awaitId))).toBe(byKey?.expiresAt)
  expect(byKey?.reply?.body.toString()).toBe(JSON.stringify({ id: externalId, late: true }))
  const again = await one.call({ idempotencyKey: `late-${externalId}` })
  expect(payloadOf(again)).toMatchObject({ late: true })
  expect(upstream.calls.length).toBe(1)
})

test('the first reply stands, and further ones are counted, from whichever instance', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const [one, two] = [await instance([upstream]), await instance([upstream])]
  const calling = one.call()
  const id = idOfCall((await until(() => upstream.calls[0])).callbackUrl)
  await bound(one, id)
  await one.webhook({ id: externalId, nth: 1 })
  await two.webhook({ id: externalId, nth: 2 })
  await one.webhook({ id: externalId, nth: 3 })
  expect(payloadOf(await calling)).toMatchObject({ nth: 1 })
  const found = await one.correlator.awaited.read(id)
  expect(found).toMatchObject({ status: 'REPLIED', duplicates: 2 })
})

test('an event that is repeated with its idempotency key is no second reply', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream])
  const calling = one.call()
  const id = idOfCall((await until(() => upstream.calls[0])).callbackUrl)
  await bound(one, id)
  const key = { idempotencyKey: `event-${externalId}` }
  const first = await one.webhook({ id: externalId }, key)
  const second = await one.webhook({ id: externalId }, key)
  expect(second).toMatchObject({ ns: first.ns, repeated: true })
  await calling
  expect(await one.correlator.awaited.read(id)).toMatchObject({ duplicates: 0 })
})

test('an early webhook that comes twice is one reply and one duplicate', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({
    async answer() {
      await one.webhook({ id: externalId, nth: 1 })
      await one.webhook({ id: externalId, nth: 2 })
      return accepted(externalId)
    },
  })
  const one: Instance = await instance([upstream])
  const outcome = await one.call()
  expect(payloadOf(outcome)).toMatchObject({ nth: 1 })
  expect(await one.correlator.awaited.read((outcome as { awaitId: string }).awaitId)).toMatchObject({
    duplicates: 1,
  })
})

test('a reply of another tenant answers nothing', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId), timeoutMs: 300 })
  const one = await instance([upstream])
  const calling = one.call()
  await bound(one, idOfCall((await until(() => upstream.calls[0])).callbackUrl))
  await one.webhook({ id: externalId, forged: true }, { cnpj: otherTenant.cnpj })
  expect((await calling).kind).toBe('pending')
})

test('a reply to nothing is counted, and shown for a while', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream])
  const caller = { ...tenant, cnpj: '22333444000181' }
  const calling = one.call({ tenant: caller })
  await bound(one, idOfCall((await until(() => upstream.calls[0])).callbackUrl))
  await one.webhook({ id: externalId }, { cnpj: caller.cnpj })
  await calling
  const { ns, eventId } = await one.webhook({ id: 'nobody-asked' }, { cnpj: caller.cnpj })
  expect(await one.correlator.awaited.strays(caller.cnpj)).toEqual({
    count: 1,
    last: [{ upstream: 'default', externalId: 'nobody-asked', eventId, n: ns[0], at: expect.any(Number) }],
  })
})

test('a webhook that reports failure answers at once, as a failure', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream])
  const calling = one.call()
  const id = idOfCall((await until(() => upstream.calls[0])).callbackUrl)
  await bound(one, id)
  await one.webhook({ id: externalId, error: 'no funds' })
  expect(await calling).toMatchObject({ kind: 'reply-failed', awaitId: id })
  expect(await one.correlator.awaited.read(id)).toMatchObject({ status: 'FAILED' })
})

test('a reply that is not to be delivered makes no job, and answers all the same', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId), deliverReplies: false })
  const one = await instance([upstream])
  const calling = one.call()
  await bound(one, idOfCall((await until(() => upstream.calls[0])).callbackUrl))
  expect((await one.webhook({ id: externalId })).ns).toEqual([])
  expect(await calling).toMatchObject({ kind: 'replied', reply: { n: null } })
  expect((await one.webhook({ id: 'of-nobody' })).ns.length).toBe(1)
})

test.each([
  ['UPSTREAM_REFUSED', 422],
  ['UPSTREAM_ERROR', 503],
  ['UPSTREAM_UNREACHABLE', null],
] as const)('a call that fails tells why: %s', async (code, status) => {
  const answer: UpstreamAnswer = {
    kind: 'failed',
    code,
    status,
    message: 'It did not work.',
    maybeSent: false,
  }
  const one = await instance([testUpstream({ answer: () => answer })])
  expect(await one.call()).toEqual({
    kind: 'upstream-failed',
    awaitId: expect.any(String),
    failure: { code, status, message: 'It did not work.' },
  })
})

test('a reply to a call that was told to have failed is kept as a late one', async () => {
  const failed: UpstreamAnswer = {
    ...{ kind: 'failed', code: 'UPSTREAM_TIMEOUT', status: null, message: 'No answer.', maybeSent: true },
  }
  const upstream = testUpstream({ answer: () => failed })
  const one = await instance([upstream])
  const outcome = await one.call()
  expect(outcome.kind).toBe('upstream-failed')
  await one.callback(upstream.calls[0]?.callbackUrl ?? '', { at: 'last' })
  expect(await one.correlator.awaited.read((outcome as { awaitId: string }).awaitId)).toMatchObject({
    status: 'LATE',
    failure: null,
  })
})

test('an external id that is another call’s is refused, and that call keeps its reply', async () => {
  const externalId = newExternalId()
  const upstream = testUpstream({ answer: () => accepted(externalId) })
  const one = await instance([upstream])
  const first = one.call()
  await bound(one, idOfCall((await until(() => upstream.calls[0])).callbackUrl))
  expect(await one.call()).toMatchObject({ kind: 'upstream-failed', failure: { code: 'UPSTREAM_ID_TAKEN' } })
  await one.webhook({ id: externalId })
  expect((await first).kind).toBe('replied')
})
