import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { trimJournal } from '../../src/journal/trim-journal.ts'
import { keys } from '../../src/redis/keys.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

const plenty = 1_000_000
let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = new Redis(server.url)
})
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** Entries of these times in ms, one or more of each. */
const journal = (...ids: string[]) =>
  redis.pipeline(ids.map((id) => ['xadd', keys.journal, id, 'n', '1'])).exec()
const ids = async () => (await redis.xrange(keys.journal, '-', '+')).map(([id]) => id)
const historyHas = (id: string) => redis.set(keys.projected, id)
const trimmedTo = () => redis.get(keys.trimmedTo)
const hundred = Array.from({ length: 100 }, (_, i) => `${i + 1}-0`)

describe('trimming the journal', () => {
  test('keeps as many entries as are asked for, the newest', async () => {
    await journal(...hundred)
    await historyHas('100-0')
    expect(await trimJournal(redis, { maxEntries: 30, oldestMs: 0 })).toBe(70)
    expect(await ids()).toEqual(hundred.slice(70))
    expect(await trimmedTo()).toBe('70-0')
  })

  test('removes what is older than asked for, however few there are', async () => {
    await journal('1000-0', '1000-1', '1999-5', '2000-0', '2001-0')
    await historyHas('2001-0')
    expect(await trimJournal(redis, { maxEntries: plenty, oldestMs: 2_000 })).toBe(3)
    expect(await ids()).toEqual(['2000-0', '2001-0'])
    expect(await trimmedTo()).toBe('1999-5')
  })

  test.each([
    ['by number', { maxEntries: 1, oldestMs: 0 }],
    ['by age', { maxEntries: plenty, oldestMs: 1_000_000 }],
  ])('stops %s at what history has not read', async (_how, bounds) => {
    await journal('5-0', '5-1', '5-2', '6-0')
    await historyHas('5-1')
    expect(await trimJournal(redis, bounds)).toBe(2)
    expect(await ids()).toEqual(['5-2', '6-0'])
    expect(await trimmedTo()).toBe('5-1')
  })

  test('removes nothing before history has said how far it is', async () => {
    await journal(...hundred)
    expect(await trimJournal(redis, { maxEntries: 1, oldestMs: 1_000_000 })).toBe(0)
    await historyHas('0-0')
    expect(await trimJournal(redis, { maxEntries: 1, oldestMs: 1_000_000 })).toBe(0)
    expect(await ids()).toEqual(hundred)
    expect(await trimmedTo()).toBeNull()
  })

  test('changes nothing where nothing is beyond the bounds, a second time neither', async () => {
    await journal(...hundred)
    await historyHas('100-0')
    const bounds = { maxEntries: 100, oldestMs: 11 }
    expect(await trimJournal(redis, bounds)).toBe(10)
    expect(await trimJournal(redis, bounds)).toBe(0)
    expect(await trimmedTo()).toBe('10-0')
    expect(await ids()).toEqual(hundred.slice(10))
  })

  test('goes through more than one call takes, and may remove everything', async () => {
    await journal(...Array.from({ length: 2_500 }, (_, i) => `${i + 1}-0`))
    await historyHas('2500-0')
    expect(await trimJournal(redis, { maxEntries: 100, oldestMs: 0 })).toBe(2_400)
    expect((await ids())[0]).toBe('2401-0')
    expect(await trimJournal(redis, { maxEntries: plenty, oldestMs: 9_999 })).toBe(100)
    expect(await ids()).toEqual([])
    expect(await trimmedTo()).toBe('2500-0')
  })
})
