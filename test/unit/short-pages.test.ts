import { expect, test } from 'vitest'
import { type Connection, type KeysetList, keysetConnection } from '../../src/graphql/connection.ts'

/** A reader of the numbers 100 to 1, newest first, that looks at ten of them at a time and keeps every 25th. */
const numbers: KeysetList<number, number> = {
  name: 'numbers',
  keyOf: (n) => n,
  parseKey: Number,
  async read({ limit, after = 101, before = 0, fromEnd }) {
    const ahead = Array.from({ length: 100 }, (_, at) => 100 - at).filter((n) => n < after && n > before)
    const looked = fromEnd ? ahead.slice(-10) : ahead.slice(0, 10)
    const nodes = looked.filter((n) => n % 25 === 0).slice(0, limit)
    const reached = looked.length < ahead.length ? ((fromEnd ? looked[0] : looked.at(-1)) ?? null) : null
    return { nodes, reached }
  },
}

test('who follows the cursors of pages that were cut short, empty ones included, comes to every node once', async () => {
  const seen: number[] = []
  let pages = 0
  for (let after: string | null = null, more = true; more; pages += 1) {
    const { edges, pageInfo }: Connection<number> = await keysetConnection({ first: 5, after }, numbers)
    seen.push(...edges.map(({ node }) => node))
    after = pageInfo.endCursor
    more = pageInfo.hasNextPage
  }
  expect(seen).toEqual([100, 75, 50, 25])
  expect(pages).toBe(10)
})

test('and so does who follows them backwards from the end', async () => {
  const seen: number[] = []
  for (let before: string | null = null, more = true; more; ) {
    const { edges, pageInfo }: Connection<number> = await keysetConnection({ last: 5, before }, numbers)
    seen.unshift(...edges.map(({ node }) => node))
    before = pageInfo.startCursor
    more = pageInfo.hasPreviousPage
  }
  expect(seen).toEqual([100, 75, 50, 25])
})
