import { expect, test } from 'vitest'
import { afterLook, isVanished, type Silence } from '../../src/http/vanished-peers.ts'

/** What is known after looks a second apart that found so many tries. */
const afterLooks = (tries: readonly number[]) =>
  tries.reduce<Silence | undefined>(
    (known, found, second) => afterLook(known, found, second * 1_000),
    undefined,
  )

test('a peer is gone when it has answered nothing for the time, at each look', () => {
  const silence = afterLooks([0, 3, 4, 5, 5, 6])
  expect(silence).toEqual({ since: 1_000, tries: 6 })
  expect(isVanished(silence, 999)).toBe(false)
  expect(isVanished(silence, 1_000)).toBe(true)
})

test.each([
  { what: 'nothing is behind any more', tries: [4, 5, 0], since: undefined },
  { what: 'it is behind again since the last look', tries: [4, 5, 0, 3], since: 3_000 },
  { what: 'fewer tries than before show that it answered between', tries: [4, 5, 3, 3], since: 2_000 },
])('a peer that answered is not: $what', ({ tries, since }) => {
  expect(afterLooks(tries)?.since).toBe(since)
})

test('one or two things that were lost on the way are no sign, however long they take', () => {
  expect(isVanished(afterLooks([1, 2, 2, 2, 2]), 4_000)).toBe(false)
  expect(isVanished(undefined, 4_000)).toBe(false)
})
