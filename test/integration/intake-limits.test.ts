import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { type MemoryGuard, watchMemory } from '../../src/redis/memory-guard.ts'
import { repeat } from '../../src/redis/repeat.ts'
import { until } from '../support/client.ts'
import { type Core, openCore, sampleEvent } from '../support/core.ts'
import { startDelivery } from '../support/delivery.ts'
import { startProjecting } from '../support/projecting.ts'
import { startReceiver } from '../support/receiver.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

const full = { code: 'BACKLOG_FULL', status: 503, retryAfterSeconds: 5 }

describe('a backlog at its limit', () => {
  let server: TestRedis
  let core: Core
  beforeAll(async () => {
    server = await startTestRedis()
    const twoForInvoices = ({ eventType }: { eventType: string | null }) =>
      ['nifi', 'erp']
        .slice(0, eventType === 'invoice' ? 2 : 1)
        .map((destination) => ({ destination, queue: 'nifi' }))
    core = await openCore(server.url, { maxBacklog: 5, route: twoForInvoices })
  })
  afterAll(async () => {
    await core.close()
    await server.stop()
  })

  test('takes what fits of a batch, refuses the rest, and accepts again once the dispatcher has caught up', async () => {
    const first = await core.intake.accept({ ...sampleEvent, idempotencyKey: 'k' })
    const answers = await Promise.allSettled(Array.from({ length: 7 }, () => core.accept()))
    expect(answers.map(({ status }) => status === 'fulfilled')).toEqual([
      ...[true, true, true, true],
      ...[false, false, false],
    ])
    expect(answers[6]).toMatchObject({ reason: full })
    expect(await core.redis.xlen(keys.inbox)).toBe(5)
    expect(await core.intake.accept({ ...sampleEvent, idempotencyKey: 'k' })).toEqual({
      ...first,
      repeated: true,
    })

    const dispatcher = core.newDispatcher()
    dispatcher.start()
    await until(async () => (await core.redis.xlen(keys.inbox)) === 0)
    await dispatcher.stop()
    expect(await core.accept()).toBe(6)
  })

  test('takes an event for several destinations whole or not at all', async () => {
    for (let room = 5 - (await core.redis.xlen(keys.inbox)); room > 1; room -= 1) await core.accept()
    const last = await core.redis.get(keys.seq)
    await expect(core.accept({ eventType: 'invoice' })).rejects.toMatchObject(full)
    expect(await core.redis.get(keys.seq)).toBe(last)
    expect(await core.accept()).toBe(Number(last) + 1)
  })
})

describe('a Redis with little memory', () => {
  const maxMemory = 16 * 1024 * 1024
  let server: TestRedis
  let guard: MemoryGuard
  let core: Core
  beforeAll(async () => {
    server = await startTestRedis({ config: [`maxmemory ${maxMemory}`] })
    core = await openCore(server.url, { memoryIsShort: () => guard.isShort(), graceMs: 200 })
    guard = await watchMemory({ redis: core.connections.commands, log: core.log, everyMs: 20 })
  })
  afterAll(async () => {
    guard.close()
    await core.close()
    await server.stop()
  })
  const used = async () => Number(/used_memory:(\d+)/.exec(await core.redis.info('memory'))?.[1])

  /** Posts until refused. */
  const fill = async (body: Buffer, together: number) => {
    const ns: number[] = []
    for (;;) {
      const answers = await Promise.allSettled(Array.from({ length: together }, () => core.accept({ body })))
      for (const answer of answers) if (answer.status === 'fulfilled') ns.push(answer.value)
      const refused = answers.find(({ status }) => status === 'rejected')
      if (refused) return { ns, refused }
    }
  }

  test('is not taken for one with room by what was seen before, once it does not tell any more', async () => {
    expect(await guard.hasRoom()).toBe(true)
    await core.redis.acl('SETUSER', 'default', '-info')
    const asked = () =>
      guard.hasRoom().then(
        () => undefined,
        (error: Error) => error,
      )
    expect(await until(asked, { what: 'no answer' })).toMatchObject({
      message: expect.stringMatching(/^NOPERM/),
    })
    await core.redis.acl('SETUSER', 'default', '+info')
    expect(await guard.hasRoom()).toBe(true)
  })

  test.each([
    ['large', Buffer.alloc(30_000, 'x'), 1],
    ['small', Buffer.alloc(3_000, 'x'), 20],
  ])(
    'is not filled by %s events, and those it took are delivered and make room again',
    async (_what, body, together) => {
      const receiver = await startReceiver((response) => response.end())
      const { ns, refused } = await fill(body, together)
      expect(refused).toMatchObject({ reason: full })
      expect(await used()).toBeLessThan(maxMemory)

      const history = await startProjecting(core)
      const dispatcher = core.newDispatcher({ hasRoom: guard.hasRoom })
      const delivery = startDelivery(core, { url: receiver.url, concurrency: 50 })
      const sweeper = core.newSweeper()
      const turn = async () => sweeper.sweep().then(() => false)
      const sweeping = repeat({ name: 'sweeper', log: core.log, everyMs: 100, turn })
      for (const part of [dispatcher, sweeping]) part.start()
      const delivered = () => new Set(receiver.received.map(({ headers }) => headers['x-gancho-job'])).size
      await until(() => delivered() === ns.length, { what: 'all delivered' })
      await until(() => !guard.isShort(), { what: 'room again' })
      await Promise.all([dispatcher.stop(), sweeping.stop(), delivery.stop()])
      await history.stop()
      await receiver.close()
    },
  )
})
