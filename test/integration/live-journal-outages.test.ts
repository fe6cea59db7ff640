import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { eventually } from '../support/eventually.ts'
import { everything, follow, journalWriter, openLiveJournal, type Seen } from '../support/live-journal.ts'
import { startTestRedis } from '../support/redis.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A Redis, a wire to it that can be cut, one who writes past that wire, and one who follows through it. */
async function world() {
  const server = await startTestRedis()
  ends.push(server.stop)
  const proxy = await startTcpProxy(server.port)
  ends.push(proxy.close)
  const writer = journalWriter(server.url)
  ends.push(writer.close)
  await writer.redis.set(keys.epoch, 'first')
  const logged: { msg: string; level: number }[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line)) })
  const live = await openLiveJournal(`redis://127.0.0.1:${proxy.port}`, {
    log,
    options: { tail: { blockMs: 200, patienceMs: 2_500 } },
  })
  ends.push(live.close)
  const subscribe = async (after?: { epoch: string; id: string }) =>
    follow(
      await live.journal.subscribe({
        key: 'all',
        wish: everything,
        after: after ?? (await live.journal.end()),
      }),
    )
  return { server, proxy, writer, live, logged, subscribe, one: await subscribe() }
}
const has = (seen: Seen, expected: Seen) => eventually(() => expect(seen).toEqual(expected), 10)
const between = (logged: { msg: string }[], part: string) =>
  logged.filter(({ msg }) => msg.includes(part)).length

describe('a subscriber misses nothing and gets nothing twice', () => {
  test('while the connection is cut again and again, and the log is told little', async () => {
    const { proxy, writer, logged, one } = await world()
    const ns = await writer.append(10)
    await has(one.seen, ns)
    for (let i = 0; i < 30; i++) {
      ns.push(...(await writer.append(20)))
      proxy.cut()
      if (i % 5 === 0) await has(one.seen, ns)
      ns.push(...(await writer.append(20)))
    }
    await has(one.seen, ns)
    expect(between(logged, 'journal tail')).toBeLessThanOrEqual(2)
  })

  test('while answers get lost without an end of the connection', async () => {
    const { proxy, writer, one } = await world()
    const ns = await writer.append(10)
    await has(one.seen, ns)
    proxy.muteOpen()
    ns.push(...(await writer.append(700)))
    await has(one.seen, ns)
  })

  test('while Redis restarts with its data', async () => {
    const { server, writer, logged, one } = await world()
    const ns = await writer.append(100)
    await has(one.seen, ns)
    await server.restart({ keepData: true })
    ns.push(...(await writer.append(100)))
    await has(one.seen, ns)
    expect(between(logged, 'journal tail')).toBeLessThanOrEqual(2)
  })
})

describe('a subscriber is told of a gap and goes on live', () => {
  test('when Redis was emptied', async () => {
    const { server, writer, one, subscribe } = await world()
    const ns: Seen = await writer.append(10)
    await has(one.seen, ns)
    const old = one.position()
    await server.restart({ keepData: false })
    ns.push('JOURNAL_REPLACED')
    await has(one.seen, ns)
    const fresh = await writer.append(10)
    await has(one.seen, [...ns, ...fresh])
    const resumed = await subscribe(old)
    await has(resumed.seen, ['JOURNAL_REPLACED', ...fresh])
  })

  test('when Redis came back with an older state of its data', async () => {
    const { server, writer, one } = await world()
    const data = join(server.dir, 'data')
    const ns: Seen = await writer.append(10)
    await has(one.seen, ns)
    await cp(data, `${data}-old`, { recursive: true })
    ns.push(...(await writer.append(5)))
    await has(one.seen, ns)
    await server.kill9()
    await rm(data, { recursive: true })
    await cp(`${data}-old`, data, { recursive: true })
    await server.restart({ keepData: true })
    await has(one.seen, [...ns, 'JOURNAL_WENT_BACK'])
    const fresh = await writer.append(5)
    await has(one.seen, [...ns, 'JOURNAL_WENT_BACK', ...fresh])
  })
})

test('what was read of a Redis in the moment before it was emptied is no part of what is there now', async () => {
  const server = await startTestRedis()
  ends.push(server.stop)
  const writer = journalWriter(server.url)
  ends.push(writer.close)
  await writer.append(150)
  const before = await writer.redis.xrevrange(keys.journal, '+', '-', 'COUNT', 2_001)
  await writer.redis.flushall()
  await writer.redis.set(keys.epoch, 'second')
  // Its answer was on its way when the Redis was emptied.
  const readerOf = (reader: Redis) => Object.assign(reader, { xrevrange: async () => before })
  const live = await openLiveJournal(server.url, { readerOf })
  ends.push(live.close)
  const after = { epoch: 'second', id: '0-0' }
  const one = follow(await live.journal.subscribe({ key: 'all', wish: everything, after }))
  const fresh = await writer.append(5)
  await has(one.seen, fresh)
})

test('who subscribes while Redis is away is told so soon', async () => {
  const { server, live } = await world()
  await live.close()
  const again = await openLiveJournal(server.url)
  ends.push(again.close)
  await server.kill9()
  await expect(again.journal.end()).rejects.toThrow()
  const after = { epoch: 'first', id: '0-0' }
  await expect(again.journal.subscribe({ key: 'x', wish: everything, after })).rejects.toThrow()
})
