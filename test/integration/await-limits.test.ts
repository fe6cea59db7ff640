import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { createAwaitedReplies } from '../../src/sync/awaited-replies.ts'
import type { UpstreamAnswer } from '../../src/sync/upstream/upstream.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'
import { type Instance, openInstance, otherTenant, tenant } from '../support/awaiting.ts'
import { until } from '../support/client.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { accepted, type TestUpstream, testUpstream, upstreamsOf } from '../support/upstreams.ts'

let server: TestRedis
beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(() => server.stop())

const open: Instance[] = []
async function instance(upstreams: TestUpstream[], options: Parameters<typeof openInstance>[2] = {}) {
  const one = await openInstance(server.url, upstreams, options)
  open.push(one)
  return one
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
  await (await openRedis()).flushall()
})
const openRedis = async () => {
  const { connections } = await instance([])
  return connections.patient
}

const awaitId = /^aw_[\w-]{22}$/
const idOfCall = (callbackUrl = '') => callbackUrl.split('/').at(-1)?.split('.')[0] ?? ''
const status = (one: Instance, id: string) => one.redis.hget(keys.await(id), 'status')
const never = () => new Promise<never>(() => undefined)

describe('a caller who is gone', () => {
  test('is no longer waited for, and the reply is kept', async () => {
    const upstream = testUpstream({ answer: () => accepted('gone') })
    const one = await instance([upstream])
    const caller = new AbortController()
    const calling = one.call({ signal: caller.signal })
    const id = idOfCall((await until(() => upstream.calls[0])).callbackUrl)
    await until(async () => (await status(one, id)) === 'BOUND')
    expect(one.correlator.waiting()).toBe(1)
    caller.abort()
    await calling
    expect(one.correlator.waiting()).toBe(0)
    await one.webhook({ id: 'gone' })
    expect(await one.correlator.awaited.read(id)).toMatchObject({ status: 'REPLIED' })
  })

  test('leaves its call to be recorded', async () => {
    const gate = Promise.withResolvers<UpstreamAnswer>()
    const upstream = testUpstream({ answer: () => gate.promise })
    const one = await instance([upstream])
    const caller = new AbortController()
    const calling = one.call({ signal: caller.signal })
    const id = idOfCall((await until(() => upstream.calls[0])).callbackUrl)
    caller.abort()
    await calling
    gate.resolve(accepted('later'))
    await until(async () => (await status(one, id)) === 'BOUND')
  })
})

describe('too many', () => {
  test('calls of one tenant are refused on every instance, and the next is taken when one is answered', async () => {
    const upstream = testUpstream({ answer: (_request, nth) => accepted(`limit-${nth}`) })
    const [one, two] = [await instance([upstream]), await instance([upstream])]
    const limited = { ...tenant, settings: { limits: { waitingReplies: 2 } } }
    const calls = [one.call({ tenant: limited }), two.call({ tenant: limited })]
    await until(() => upstream.calls.length === 2)
    expect(await one.correlator.awaited.waiting(tenant.cnpj)).toBe(2)
    for (const at of [one, two])
      expect(await at.call({ tenant: limited })).toEqual({
        ...{ kind: 'too-many', max: 2, retryAfterSeconds: expect.any(Number) },
      })
    expect(upstream.calls.length).toBe(2)
    const other = one.call({ tenant: otherTenant, timeoutMs: 50 })
    expect((await other).kind).toBe('pending')

    await one.webhook({ id: 'limit-1' })
    await Promise.race(calls)
    const next = one.call({ tenant: limited, timeoutMs: 50 })
    expect((await next).kind).toBe('pending')
    await one.webhook({ id: 'limit-2' })
    await Promise.all(calls)
  })

  test('callers who come at once are refused as those who come one by one', async () => {
    const upstream = testUpstream({ answer: (_request, nth) => accepted(`at-once-${nth}`) })
    const one = await instance([upstream], { maxWaiters: 3 })
    const kinds = await Promise.all(
      Array.from({ length: 10 }, async () => (await one.call({ timeoutMs: 50 })).kind),
    )
    expect(kinds.filter((kind) => kind === 'pending').length).toBe(3)
    expect(upstream.calls.length).toBe(3)
  })

  test('a caller who waits for a moment only makes no room for another before its upstream has answered', async () => {
    const gate = Promise.withResolvers<void>()
    const upstream = testUpstream({
      async answer(_request, nth) {
        await gate.promise
        return accepted(`moment-${nth}`)
      },
    })
    const [one, two] = [await instance([upstream], { maxWaiters: 3 }), await instance([upstream])]
    const limited = { ...tenant, settings: { limits: { waitingReplies: 2 } } }
    const call = (at: Instance, of: Tenant = limited) => at.call({ tenant: of, timeoutMs: 1 })
    for (const at of [one, two]) expect((await call(at)).kind).toBe('pending')
    expect(await call(two)).toMatchObject({ kind: 'too-many', max: 2 })
    for (const kind of ['pending', 'pending', 'too-many'])
      expect((await call(one, otherTenant)).kind).toBe(kind)
    expect(upstream.calls.length).toBe(4)
    gate.resolve()
    await until(async () => (await one.correlator.awaited.waiting(tenant.cnpj)) === 0)
    await one.correlator.idle()
    expect((await call(one)).kind).toBe('pending')
  })

  test('callers in one process are refused, whoever they are', async () => {
    const upstream = testUpstream({ answer: (_request, nth) => accepted(`process-${nth}`) })
    const one = await instance([upstream], { maxWaiters: 1 })
    const caller = new AbortController()
    const calling = one.call({ signal: caller.signal })
    await until(() => one.correlator.waiting() === 1)
    expect(await one.call({ tenant: otherTenant })).toMatchObject({ kind: 'too-many', max: 1 })
    caller.abort()
    await calling
  })
})

describe('the same idempotency key', () => {
  test('with another body is refused', async () => {
    const one = await instance([testUpstream({ answer: () => accepted('conflict') })])
    await one.call({ idempotencyKey: 'k', timeoutMs: 30 })
    const again = one.call({ idempotencyKey: 'k', body: Buffer.from('{"other":1}') })
    await expect(again).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
  })

  test('for another upstream is refused', async () => {
    const upstreams = ['first', 'second'].map((name) => testUpstream({ name, timeoutMs: 30 }))
    const one = await instance(upstreams)
    await one.call({ idempotencyKey: 'k', upstream: 'first' })
    const again = one.call({ idempotencyKey: 'k', upstream: 'second' })
    await expect(again).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
  })

  test('of another tenant is another call', async () => {
    const upstream = testUpstream({ timeoutMs: 50 })
    const one = await instance([upstream])
    await one.call({ idempotencyKey: 'k' })
    await one.call({ idempotencyKey: 'k', tenant: otherTenant })
    const [first, second] = upstream.calls.map(({ idempotencyKey }) => idempotencyKey)
    expect(first).not.toBe(second)
    expect(upstream.calls.length).toBe(2)
  })

  test('waits on for a reply that was late for the first time', async () => {
    const upstream = testUpstream({ answer: () => accepted('again') })
    const one = await instance([upstream])
    const first = await one.call({ idempotencyKey: 'k', timeoutMs: 30 })
    expect(first).toMatchObject({ kind: 'pending', awaitId: expect.stringMatching(awaitId) })
    const again = one.call({ idempotencyKey: 'k' })
    await until(() => one.correlator.waiting() === 1)
    await one.webhook({ id: 'again' })
    expect(await again).toMatchObject({ kind: 'replied', awaitId: (first as { awaitId: string }).awaitId })
    expect(upstream.calls.length).toBe(1)
  })

  test('calls again, with the same key, when the call failed; a webhook that is early then is not lost', async () => {
    const refused: UpstreamAnswer = {
      ...{ kind: 'failed', code: 'UPSTREAM_ERROR', status: 500, message: 'no', maybeSent: false },
    }
    const upstream = testUpstream({
      async answer(_request, nth) {
        if (nth === 1) return refused
        await one.webhook({ id: 'retried' })
        return accepted('retried')
      },
    })
    const one: Instance = await instance([upstream])
    const first = await one.call({ idempotencyKey: 'k' })
    expect(first.kind).toBe('upstream-failed')
    expect(await one.call({ idempotencyKey: 'k' })).toMatchObject({ kind: 'replied' })
    const [a, b] = upstream.calls.map(({ idempotencyKey }) => idempotencyKey)
    expect(a).toBe(b)
  })

  test('that was taken over is answered by the one that took it, though the first caller fails later', async () => {
    const gates = [Promise.withResolvers<UpstreamAnswer>(), Promise.withResolvers<UpstreamAnswer>()]
    const upstreams = gates.map(({ promise }) => testUpstream({ answer: () => promise }))
    const [one, two] = await Promise.all(upstreams.map((upstream) => instance([upstream])))
    if (!one || !two) throw new Error('two instances')
    const first = one.call({ idempotencyKey: 'k' })
    await until(() => upstreams[0]?.calls[0])
    // Held up for so long that it counts as gone: its next sign of life is not to come in between.
    await one.redis.hset(keys.await(idOfCall(upstreams[0]?.calls[0]?.callbackUrl)), 'caller', 'gone')
    const second = two.call({ idempotencyKey: 'k' })
    await until(() => upstreams[1]?.calls[0])
    gates[0]?.resolve({
      kind: 'failed',
      code: 'UPSTREAM_TIMEOUT',
      status: null,
      message: 'no',
      maybeSent: true,
    })
    await one.correlator.idle()
    gates[1]?.resolve(accepted('second-try'))
    await until(async () => (await status(one, idOfCall(upstreams[1]?.calls[0]?.callbackUrl))) === 'BOUND')
    await one.webhook({ id: 'second-try' })
    expect((await Promise.all([first, second])).map(({ kind }) => kind)).toEqual(['replied', 'replied'])
  })

  test('calls again, with the same key, when its first caller’s process is gone', async () => {
    const hanging = testUpstream({ answer: never })
    const upstream = testUpstream({ answer: () => accepted('taken-over') })
    const [dead, one] = [await openInstance(server.url, [hanging]), await instance([upstream])]
    const lost = dead.call({ idempotencyKey: 'k', timeoutMs: 300 })
    await until(() => hanging.calls[0])
    const joined = one.call({ idempotencyKey: 'k', timeoutMs: 50 })
    expect((await joined).kind).toBe('pending')
    expect(upstream.calls.length).toBe(0)
    const itsLine = `id=${await dead.connections.commands.client('ID')} `
    dead.crash()
    await lost.catch(() => undefined)
    // A sign of life may still be on its way.
    await until(async () => !String(await one.redis.client('LIST')).includes(itsLine), { what: 'its end' })
    // What Redis does when the sign of life is not renewed.
    await one.redis.del(keys.awaitOwner(dead.owner))
    const taken = one.call({ idempotencyKey: 'k' })
    const { idempotencyKey } = await until(() => upstream.calls[0])
    expect(idempotencyKey).toBe(hanging.calls[0]?.idempotencyKey)
    await until(async () => (await status(one, idOfCall(upstream.calls[0]?.callbackUrl))) === 'BOUND')
    await one.webhook({ id: 'taken-over' })
    expect(await taken).toMatchObject({ kind: 'replied' })
  })
})

test('a repeat that joins in the moment of the reply gets it, a hundred times in a row', async () => {
  const upstream = testUpstream({ answer: (_request, nth) => accepted(`moment-${nth}`) })
  const [one, two] = [await instance([upstream]), await instance([upstream])]
  for (let nth = 1; nth <= 100; nth += 1) {
    const idempotencyKey = `moment ${nth}`
    const calling = one.call({ idempotencyKey })
    const { callbackUrl } = await until(() => upstream.calls[nth - 1])
    await until(async () => (await status(one, idOfCall(callbackUrl))) === 'BOUND')
    const joins = [one.call({ idempotencyKey }), two.call({ idempotencyKey })]
    const taken = one.webhook({ id: `moment-${nth}` })
    const kinds = (await Promise.all([calling, ...joins])).map(({ kind }) => kind)
    expect(kinds).toEqual(['replied', 'replied', 'replied'])
    await taken
  }
})

test('a call whose opening was recorded, but not told to its instance, is made by a repeat', async () => {
  const upstream = testUpstream({ answer: () => accepted('untold') })
  const one = await instance([upstream])
  const { redis, owner } = one
  await createAwaitedReplies({ redis, owner, ttlMs: 60_000 }).open({
    ...{ cnpj: tenant.cnpj, newId: 'aw_untold', upstream: 'default', body: Buffer.from('{"order":7}') },
    ...{ idempotencyKey: 'k', timeoutMs: 5_000, callMs: 15_000, countsMs: 5_000, max: 10 },
  })
  const calling = one.call({ idempotencyKey: 'k' })
  await until(async () => (await status(one, 'aw_untold')) === 'BOUND')
  const joined = one.call({ idempotencyKey: 'k' })
  await one.webhook({ id: 'untold' })
  expect(await Promise.all([calling, joined])).toMatchObject(Array(2).fill({ kind: 'replied' }))
  expect(upstream.calls.length).toBe(1)
})

test('an instance says again and again that it lives, so that nobody takes its calls over', async () => {
  const one = await instance([testUpstream()])
  const alive = keys.awaitOwner(one.owner)
  await one.redis.del(alive)
  await expect.poll(() => one.redis.pttl(alive)).toBeGreaterThan(2_000)
})

describe('an instance that stops', () => {
  test('calls nobody for who came while it began to stop', async () => {
    const upstream = testUpstream()
    const one = await instance([upstream])
    const calling = one.call()
    one.correlator.stopWaiting()
    await expect(calling).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    expect(upstream.calls.length).toBe(0)
  })

  test('answers those who wait with their ids, records the call under way, and takes no new ones', async () => {
    const gate = Promise.withResolvers<UpstreamAnswer>()
    const upstream = testUpstream({ answer: () => gate.promise })
    const one = await instance([upstream])
    const calling = one.call()
    const id = idOfCall((await until(() => upstream.calls[0])).callbackUrl)
    one.correlator.stopWaiting()
    expect(await calling).toMatchObject({ kind: 'pending', awaitId: id })
    await expect(one.call()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    gate.resolve(accepted('stopped'))
    await one.correlator.idle()
    expect(await status(one, id)).toBe('BOUND')
  })
})

describe('Redis', () => {
  test('that comes back empty has lost the call, and its caller is told so', async () => {
    const upstream = testUpstream({ answer: () => accepted('emptied') })
    const one = await instance([upstream], { pollMs: 50 })
    const calling = one.call()
    const refused = expect(calling).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' })
    await until(async () => (await status(one, idOfCall(upstream.calls[0]?.callbackUrl))) === 'BOUND')
    await one.redis.flushall()
    await refused
  })

  test('that is away refuses new calls at once, without calling the upstream', async () => {
    const away = await startTestRedis()
    const upstream = testUpstream()
    const one = await openInstance(away.url, [upstream])
    await away.kill9()
    await expect(one.call()).rejects.toThrow()
    expect(upstream.calls.length).toBe(0)
    one.crash()
    await away.stop()
  })

  test('that goes away while a call waits costs neither the handle nor the reply', async () => {
    const away = await startTestRedis()
    const gate = Promise.withResolvers<UpstreamAnswer>()
    const upstream = testUpstream({ answer: () => gate.promise })
    const one = await openInstance(away.url, [upstream])
    const calling = one.call({ timeoutMs: 300 })
    const id = idOfCall((await until(() => upstream.calls[0])).callbackUrl)
    await away.kill9()
    gate.resolve(accepted('survived'))
    expect(await calling).toMatchObject({ kind: 'pending', awaitId: id })
    await away.restart({ keepData: true })
    await one.correlator.idle()
    await until(async () => (await status(one, id)) === 'BOUND')
    // Of its connections one may be back before the other.
    const read = () => one.correlator.awaited.read(id).catch(() => undefined)
    // By Redis' clock, which began to count a moment after the caller's.
    await until(async () => (await read())?.status === 'EXPIRED', { what: 'the deadline' })
    await until(() => one.webhook({ id: 'survived' }).catch(() => false))
    expect(await until(read, { what: 'the reply' })).toMatchObject({ status: 'LATE' })
    await one.close()
    await away.stop()
  })
})

describe('what is kept', () => {
  test('is gone after its time, with everything that leads to it', async () => {
    const upstream = testUpstream({ answer: () => accepted('short') })
    const one = await instance([upstream], { ttlMs: 100 })
    // What leads to it is kept until the deadline and its time: as long as a busy machine may take to bring the reply.
    const calling = one.call({ idempotencyKey: 'k', timeoutMs: 8_000 })
    await until(async () => (await status(one, idOfCall(upstream.calls[0]?.callbackUrl))) === 'BOUND')
    await one.webhook({ id: 'short' })
    await calling
    const left = () => one.redis.keys('{gancho}:await*')
    const ofTheInstance = keys.awaitOwner(one.owner)
    await until(async () => (await left()).every((key) => key === ofTheInstance), {
      what: 'every key is gone',
    })
  })

  test('never lacks an end: no key of a call is left for ever, whatever became of it', async () => {
    const upstream = testUpstream({
      answer: (_request, nth) =>
        nth % 2
          ? accepted(`ttl-${nth}`)
          : { kind: 'failed', code: 'UPSTREAM_TIMEOUT', status: null, message: 'no', maybeSent: true },
      timeoutMs: 30,
    })
    const one = await instance([upstream])
    for (let i = 0; i < 4; i += 1) await one.call({ idempotencyKey: `ttl ${i}` })
    // Early, late, repeated, of nobody.
    for (const id of ['ttl-1', 'ttl-1', 'of-nobody', 'of-nobody']) await one.webhook({ id })
    const all = await one.redis.keys('{gancho}:await*')
    expect(all.length).toBeGreaterThan(10)
    // -1 is for ever; -2 is gone by now, as the sign of life of an instance that was held up for seconds.
    for (const key of all) expect(await one.redis.pttl(key), key).not.toBe(-1)
  })

  test('of offers is bounded in number and bytes, the oldest going first', async () => {
    const gate = Promise.withResolvers<UpstreamAnswer>()
    const upstream = testUpstream({ answer: () => gate.promise })
    const one = await instance([upstream])
    const calling = one.call()
    await until(() => upstream.calls[0])
    const filler = 'x'.repeat(1_000_000)
    for (let i = 0; i < 12; i += 1) await one.webhook({ id: `offer-${i}`, filler })
    const bytes = Number(await one.redis.get(`{gancho}:await-offer-bytes:${tenant.cnpj}`))
    expect(bytes).toBeLessThanOrEqual(8 * 1024 * 1024)
    const offers = await one.redis.keys('{gancho}:await-offer:*')
    expect(offers.length).toBe(8)
    gate.resolve(accepted('offer-11'))
    expect((await calling).kind).toBe('replied')
  })
})

test('an upstream that a tenant may not call does not exist for it, as one of no name', async () => {
  const own = testUpstream({ name: 'own', allows: (cnpj) => cnpj === tenant.cnpj, timeoutMs: 30 })
  const one = await instance([own])
  expect((await one.call({ upstream: 'own' })).kind).toBe('pending')
  const refused = { code: 'UPSTREAM_NOT_FOUND' }
  await expect(one.call({ upstream: 'own', tenant: otherTenant })).rejects.toMatchObject(refused)
  await expect(one.call({ upstream: 'none' })).rejects.toMatchObject(refused)
  expect(upstreamsOf([]).get()).toBeUndefined()
  const none = await instance([])
  await expect(none.call()).rejects.toMatchObject({ code: 'UPSTREAM_NOT_CONFIGURED' })
})
