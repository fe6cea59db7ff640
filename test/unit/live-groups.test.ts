import { setImmediate as turnOfLoop } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { decodeCursor, encodeCursor, type JournalPosition } from '../../src/journal/cursor.ts'
import { type JournalEntry, parseEntry } from '../../src/journal/entry.ts'
import { judgeRead } from '../../src/journal/journal-read.ts'
import { JournalRing } from '../../src/journal/journal-ring.ts'
import { LiveGroup } from '../../src/journal/live-group.ts'
import { LiveGroups } from '../../src/journal/live-groups.ts'
import { Pacer } from '../../src/journal/pacer.ts'

const cnpjs = ['a', 'b', 'c']
const at = (id: number): JournalPosition => ({ epoch: 'e', id: `${id}-0` })
const entryOf = (n: number, cnpj: string): JournalEntry => ({
  ...parseEntry([`${n}-0`, ['change', String(n)]]),
  cnpj,
})

type Wish = { cnpj: string | null; odd: boolean }

/** A journal in memory, whose tail reads when it is told to, with room for little. */
function world() {
  const written: JournalEntry[] = []
  const ring = new JournalRing({ count: 12, bytes: 1_000_000 })
  ring.reset(at(0))
  const read = (after: JournalPosition, count: number) => {
    const start = Number(after.id.split('-')[0])
    const state = { epoch: 'e', trimmedTo: '0-0', lastId: `${written.length}-0` }
    return judgeRead(after, written.slice(start, start + count), state)
  }
  const pages = async (after: JournalPosition) => {
    await turnOfLoop()
    return read(after, 5)
  }
  const limits = { group: { count: 8, bytes: 100_000_000 }, totalBytes: 1_500_000 }
  const groups = new LiveGroups({ ring, pages, limits })
  let rendered = 0
  const subscribe = ({ cnpj, odd }: Wish, after: JournalPosition) =>
    groups.subscribe<number>(
      {
        key: JSON.stringify([cnpj, odd]),
        after,
        wish: {
          cnpj,
          matches: ({ n }) => !odd || n % 2 === 1,
          render: async (items) => {
            await turnOfLoop()
            rendered += items.length
            return items.map((item) => (item.kind === 'gap' ? -1 : item.entry.n))
          },
          bytesOf: () => 100_000,
        },
      },
      ring.position ?? after,
      () => undefined,
    )
  return {
    ...{ groups, written, subscribe, ring },
    rendered: () => rendered,
    append(count: number) {
      for (let i = 0; i < count; i++) {
        const n = written.length + 1
        written.push(entryOf(n, cnpjs[(n * 7) % cnpjs.length] ?? ''))
      }
    },
    /** The tail reads up to that many; returns whether there were any. */
    tail(count: number): boolean {
      const found = read(ring.position ?? at(0), count)
      if (found.items.length === 0) return false
      groups.notify(ring.push(found), ring.end - 1)
      return true
    },
  }
}

/** Somebody who reads when told to, and resumes where it was when it is ended. */
function reader({ subscribe }: ReturnType<typeof world>, wish: Wish, after: number) {
  const seen: number[] = []
  let position = at(after)
  let isAsking = false
  let ends = 0
  let stream = subscribe(wish, position)
  let batches = stream.batches()
  const ask = async () => {
    try {
      const { value } = await batches.next()
      if (value) {
        seen.push(...value.messages)
        position = value.positions.at(-1) ?? position
      }
    } catch (error) {
      if (!(error instanceof GanchoError) || error.code !== 'SLOW_CONSUMER') throw error
      ends += 1
      reconnect(decodeCursor(String(error.details?.cursor)))
    } finally {
      isAsking = false
    }
  }
  const reconnect = (cursor: JournalPosition) => {
    stream.close()
    stream = subscribe(wish, cursor)
    batches = stream.batches()
  }
  return {
    ...{ wish, after, seen },
    ends: () => ends,
    take() {
      if (isAsking) return
      isAsking = true
      void ask()
    },
    cut: () => {
      if (!isAsking) reconnect(decodeCursor(encodeCursor(stream.position)))
    },
    close: () => stream.close(),
    passed: () => position,
  }
}

const expectedOf = (written: readonly JournalEntry[], { wish, after }: { wish: Wish; after: number }) =>
  written
    .slice(after)
    .filter(({ n, cnpj }) => (wish.cnpj === null || cnpj === wish.cnpj) && (!wish.odd || n % 2 === 1))
    .map(({ n }) => n)

const action = fc.oneof(
  fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ do: fc.constant('tail' as const), count: fc.integer({ min: 1, max: 6 }) }),
  fc.record({
    do: fc.constant('join' as const),
    cnpj: fc.constantFrom(null, ...cnpjs),
    odd: fc.boolean(),
    back: fc.nat(40),
  }),
  fc.record({ do: fc.constant('take' as const), who: fc.nat(20) }),
  fc.record({ do: fc.constant('cut' as const), who: fc.nat(20) }),
  fc.record({ do: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 4 }) }),
)

type Action = typeof action extends fc.Arbitrary<infer One> ? One : never
type Reader = ReturnType<typeof reader>

async function perform(one: Action, here: ReturnType<typeof world>, readers: Reader[]): Promise<void> {
  if (one.do === 'append') here.append(one.count)
  if (one.do === 'tail') here.tail(one.count)
  if (one.do === 'take') readers[one.who % readers.length]?.take()
  if (one.do === 'cut') readers[one.who % readers.length]?.cut()
  if (one.do === 'wait') for (let i = 0; i < one.turns; i++) await turnOfLoop()
  if (one.do !== 'join') return
  const after = Math.max(0, here.written.length - one.back)
  readers.push(reader(here, { cnpj: one.cnpj, odd: one.odd }, after))
}

/** The tail reads all that is left, and everyone reads on until there is nothing left to get. */
async function drain(here: ReturnType<typeof world>, readers: readonly Reader[]): Promise<void> {
  while (here.tail(6)) await turnOfLoop()
  const isDone = (one: Reader) => one.seen.length >= expectedOf(here.written, one).length
  for (let turn = 0; turn < 5_000 && !readers.every(isDone); turn++) {
    for (const one of readers) one.take()
    await turnOfLoop()
  }
}

describe('subscribers who come, read, stall, are cut off and resume, in any order', () => {
  test('each get exactly what they wish for of the journal, in order', async () => {
    let ends = 0
    const run = async (actions: readonly Action[]) => {
      const here = world()
      const readers: Reader[] = []
      for (const one of actions) await perform(one, here, readers)
      await drain(here, readers)
      for (const one of readers) expect(one.seen).toEqual(expectedOf(here.written, one))
      for (const one of readers) {
        ends += one.ends()
        one.close()
      }
      expect(here.groups.counts()).toEqual({ groups: 0, subscribers: 0 })
    }
    await fc.assert(fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 150 }), run), {
      numRuns: 1_000,
    })
    // Else the log was never too short for anyone, and that path stayed untried.
    expect(ends).toBeGreaterThan(0)
  })
})

test('what is kept for a hundred groups is bounded together', async () => {
  const ring = new JournalRing({ count: 100, bytes: 1_000_000 })
  ring.reset(at(0))
  const limits = { group: { count: 1_000_000, bytes: 1_000_000_000 }, totalBytes: 40_000_000 }
  const groups = new LiveGroups({
    ring,
    pages: async (after) => judgeRead(after, [], { epoch: 'e', trimmedTo: '0-0', lastId: '9-0' }),
    limits,
  })
  const wish = {
    cnpj: null,
    matches: () => true,
    render: async (items: readonly unknown[]) => items,
    bytesOf: () => 1_000_000,
  }
  const streams = Array.from({ length: 100 }, (_, i) =>
    groups.subscribe({ key: String(i), wish, after: at(0) }, at(0), () => undefined),
  )
  for (let n = 1; n <= 20; n++) {
    const entry = entryOf(n, 'a')
    const state = { epoch: 'e', trimmedTo: '0-0', lastId: `${n}-0` }
    groups.notify(ring.push(judgeRead(ring.position ?? at(0), [entry], state)), ring.end - 1)
    await turnOfLoop()
    await turnOfLoop()
  }
  expect(groups.bytes()).toBeLessThanOrEqual(100_000_000)
  for (const stream of streams) stream.close()
  expect(groups.bytes()).toBe(0)
})

test('no more is kept of what was made together than fits, also when messages become larger than those before', async () => {
  const ring = new JournalRing({ count: 12, bytes: 1_000_000 })
  ring.reset(at(0))
  const parts = {
    ...{
      ring,
      pages: () => Promise.reject(new Error('not asked')),
      limits: { count: 100, bytes: 1_000_000 },
    },
    ...{ pacer: new Pacer(), onWeight: () => undefined, onFailure: () => undefined },
  }
  const wish = {
    cnpj: null,
    matches: () => true,
    render: async (items: readonly unknown[]) => items.map((_item, i) => i),
    bytesOf: () => size,
  }
  let size = 1
  const group = new LiveGroup<number>(wish, parts, at(0), at(0))
  const entries = Array.from({ length: 20 }, (_, i) => entryOf(i + 1, 'a'))
  const read = judgeRead(at(0), entries, { epoch: 'e', trimmedTo: '0-0', lastId: '20-0' })
  expect(await group.render(read, 2_000_000)).toMatchObject({ batch: { to: at(20) }, rest: null })

  size = 400
  const { batch, rest } = await group.render(read, 1_000)
  expect(batch).toEqual({ messages: [0, 1], positions: [at(1), at(2)], to: at(2) })
  expect([rest?.from, rest?.items.length]).toEqual([at(2), 18])
})

test('a gap concerns everyone, also those who follow one tenant', async () => {
  const { groups, ring, subscribe } = world()
  const streams = [null, 'a'].map((cnpj) => subscribe({ cnpj, odd: false }, at(0)))
  const next = streams.map((stream) => stream.batches().next())
  const to = { epoch: 'another', id: '0-0' }
  const gap = { kind: 'gap', position: to, reason: 'JOURNAL_REPLACED' } as const
  groups.notify(ring.push({ from: at(0), to, items: [gap], continues: false }), ring.end - 1)
  for (const { value } of await Promise.all(next)) expect(value).toMatchObject({ messages: [-1], to })
  for (const stream of streams) stream.close()
})
