import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { decodeCursor, type JournalPosition } from '../../src/journal/cursor.ts'
import type { JournalItem } from '../../src/journal/journal-read.ts'
import type { LiveStream } from '../../src/journal/live-stream.ts'
import { keys } from '../../src/redis/keys.ts'
import { eventually } from '../support/eventually.ts'
import {
  everything,
  follow,
  journalWriter,
  openLiveJournal,
  type Seen,
  seenOf,
} from '../support/live-journal.ts'
import { seededRandom } from '../support/random.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let writer: ReturnType<typeof journalWriter>
const instances: Awaited<ReturnType<typeof openLiveJournal>>[] = []

beforeAll(async () => {
  server = await startTestRedis()
  writer = journalWriter(server.url)
  await writer.redis.set(keys.epoch, 'first')
  for (let i = 0; i < 2; i++) instances.push(await openLiveJournal(server.url, { options: soonIdle }))
})
afterAll(async () => {
  for (const instance of instances) await instance.close()
  writer.close()
  await server.stop()
})

/** Nobody is read for longer than there is someone. */
const soonIdle = { tail: { lingerMs: 0 } }
/** Resolves when that many connections wait for changes. */
const readers = (count: number) =>
  eventually(async () => {
    const clients = String(await writer.redis.client('LIST')).split('\n')
    expect(clients.filter((line) => line.includes('cmd=xread'))).toHaveLength(count)
  })
const journalOf = (i: number) => {
  const instance = instances[i % instances.length]
  if (!instance) throw new Error('no instance')
  return instance.journal
}
const subscribe = async (i = 0, after?: Awaited<ReturnType<ReturnType<typeof journalOf>['end']>>) =>
  follow(
    await journalOf(i).subscribe({
      key: 'all',
      wish: everything,
      after: after ?? (await journalOf(i).end()),
    }),
  )
const has = (seen: Seen, count: number) =>
  eventually(() => expect(seen.length).toBeGreaterThanOrEqual(count), 5)

describe('a subscriber', () => {
  test('gets what is written after it subscribed, in order, and nothing that was before', async () => {
    await writer.append(10)
    const one = await subscribe()
    const ns = await writer.append(3_000)
    await has(one.seen, ns.length)
    expect(one.seen).toEqual(ns)
    one.stream.close()
    await one.done
  })

  test('who is cut off again and again, on any instance, misses nothing and gets nothing twice while changes pour in', async () => {
    const random = seededRandom(7)
    const before = await journalOf(0).end()
    let isOver = false
    const reader = (id: number) => {
      const seen: Seen = []
      let after = before
      let current: LiveStream<JournalItem> | undefined
      const once = async (cut: number) => {
        current = await journalOf(id + cut).subscribe({ key: 'all', wish: everything, after })
        // Whoever stops it while it subscribes closes the one before.
        if (isOver) current.close()
        const until = seen.length + Math.floor(random() * 300)
        for await (const { messages, to } of current.batches()) {
          seen.push(...messages.map(seenOf))
          after = to
          if (seen.length > until) break
        }
        expect(current.position).toEqual(after)
      }
      const done = (async () => {
        for (let cut = 0; !isOver; cut++) await once(cut)
      })()
      return { seen, done, stop: () => current?.close() }
    }
    const cutOff = Array.from({ length: 20 }, (_, id) => reader(id))
    const written: number[] = []
    for (let i = 0; i < 60; i++) written.push(...(await writer.append(1 + Math.floor(random() * 400))))
    for (const { seen } of cutOff) await has(seen, written.length)
    isOver = true
    for (const { stop, done } of cutOff) {
      stop()
      await done
    }
    for (const { seen } of cutOff) expect(seen).toEqual(written)
    expect(instances.map(({ journal }) => journal.counts())).toEqual([
      { groups: 0, subscribers: 0 },
      { groups: 0, subscribers: 0 },
    ])
  })

  test('of one tenant gets that one’s changes alone, live and from before', async () => {
    const after = await journalOf(0).end()
    const cnpjs = Array.from({ length: 50 }, (_, i) => `tenant-${i}`)
    const cnpjOf = (n: number) => cnpjs[n % cnpjs.length] ?? ''
    const old = await writer.append(500, cnpjOf)
    const streams = await Promise.all(
      cnpjs.map(async (cnpj) => {
        const wish = { ...everything, cnpj }
        return { cnpj, ...follow(await journalOf(0).subscribe({ key: cnpj, wish, after })) }
      }),
    )
    const ns = [...old, ...(await writer.append(2_000, cnpjOf))]
    for (const { cnpj, seen, stream } of streams) {
      await has(seen, ns.length / cnpjs.length)
      expect(seen).toEqual(ns.filter((n) => cnpjOf(n) === cnpj))
      stream.close()
    }
  })

  test('whom nothing concerns is still told how far it is', async () => {
    const wish = { ...everything, matches: () => false }
    const one = follow(await journalOf(0).subscribe({ key: 'none', wish, after: await journalOf(0).end() }))
    const other = await subscribe()
    const ns = await writer.append(1_200)
    await has(other.seen, ns.length)
    await eventually(async () => expect(one.stream.position).toEqual(await journalOf(0).end()))
    expect(one.seen).toEqual([])
    one.stream.close()
    other.stream.close()
  })
})

describe('many subscribers', () => {
  test('of a group share one reading connection and one rendering', async () => {
    let rendered = 0
    const render = async (items: readonly JournalItem[]) => {
      rendered += items.length
      return items
    }
    const wish = { ...everything, render }
    await readers(0)
    const alone = await openLiveJournal(server.url, { options: soonIdle })
    const after = await alone.journal.end()
    const subscribers = await Promise.all(
      Array.from({ length: 1_000 }, async () =>
        follow(await alone.journal.subscribe({ key: 'many', wish, after })),
      ),
    )
    const ns = await writer.append(300)
    for (const { seen } of subscribers) await has(seen, ns.length)
    for (const { seen } of subscribers) expect(seen).toEqual(ns)
    expect(rendered).toBe(ns.length)
    await readers(1)
    for (const { stream } of subscribers) stream.close()
    expect(alone.journal.counts()).toEqual({ groups: 0, subscribers: 0 })
    await readers(0)
    await alone.close()
  })

  test('go on while one that does not read is ended with its last position, and little is kept for it', async () => {
    const limits = { group: { count: 1_000, bytes: 500_000 }, totalBytes: 1_000_000 }
    const small = await openLiveJournal(server.url, {
      options: { groups: limits, ring: { count: 2_000, bytes: 4_000_000 } },
    })
    const after = await small.journal.end()
    const subscriber = { key: 'all', wish: everything, after }
    const slow = await small.journal.subscribe(subscriber)
    const others = await Promise.all(
      [1, 2, 3].map(async () => follow(await small.journal.subscribe(subscriber))),
    )
    const batches = slow.batches()
    const ns = await writer.append(10)
    const first = await batches.next()
    for (let i = 0; i < 20; i++) {
      ns.push(...(await writer.append(200)))
      for (const { seen } of others) await has(seen, ns.length)
    }
    expect(slow.broken.aborted).toBe(true)
    const error = await batches.next().catch((thrown: GanchoError) => thrown)
    if (!(error instanceof GanchoError)) throw new Error('the slow one was not ended')
    expect(error.code).toBe('SLOW_CONSUMER')
    expect(first.value?.to).toEqual(decodeCursor(String(error.details?.cursor)))
    for (const { seen } of others) expect(seen).toEqual(ns)

    const resumed = follow(await small.journal.subscribe({ ...subscriber, after: slow.position }))
    const got = first.value?.messages.length ?? 0
    await has(resumed.seen, ns.length - got)
    expect(resumed.seen).toEqual(ns.slice(got))
    await small.close()
    for (const one of others) {
      await one.done
      expect(one.error()).toMatchObject({ code: 'SHUTTING_DOWN' })
    }
  })
})

describe('a gap is told', () => {
  /** To one that has nothing in memory. */
  const firstOf = async (after: JournalPosition, count: number) => {
    await readers(0)
    const one = await subscribe(0, after)
    await has(one.seen, count)
    one.stream.close()
    return one.seen.slice(0, count)
  }
  test('of a cursor that is older than what was trimmed, before the oldest change that is left', async () => {
    const old = await journalOf(0).end()
    const [, , third] = await writer.append(10)
    const ids = (await writer.redis.xrange(keys.journal, `(${old.id}`, '+')).map(([id]) => id)
    const last = ids[1] ?? ''
    await writer.redis.xtrim(keys.journal, 'MINID', ids[2] ?? '')
    await writer.redis.set(keys.trimmedTo, last)
    expect(await firstOf(old, 2)).toEqual(['JOURNAL_TRIMMED', third])
    expect(await firstOf({ ...old, id: last }, 1)).toEqual([third])
  })

  test('of a cursor of another data set, before the oldest change there is', async () => {
    const [oldest] = await writer.redis.xrange(keys.journal, '-', '+', 'COUNT', 1)
    const n = Number.parseInt(oldest?.[1][1] ?? '', 10)
    expect(await firstOf({ epoch: 'another', id: '5-0' }, 2)).toEqual(['JOURNAL_REPLACED', n])
  })

  test('of a cursor that is ahead of the journal, before what comes next', async () => {
    const end = await journalOf(0).end()
    const one = await subscribe(0, { ...end, id: `${Date.now() + 3_600_000}-0` })
    await has(one.seen, 1)
    const ns = await writer.append(1)
    await has(one.seen, 2)
    expect(one.seen).toEqual(['JOURNAL_WENT_BACK', ...ns])
    one.stream.close()
  })
})
