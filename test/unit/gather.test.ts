import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { gather } from '../../src/events/gather.ts'

/** Asks that are kept, each answered with ten times what was asked for, unless it is one of these. */
function asking({ most = 10, failing = [] }: { most?: number; failing?: readonly number[] } = {}) {
  const asked: (readonly number[])[] = []
  const ask = gather<number, number>(most, async (items) => {
    asked.push(items)
    return items.map((item) => (failing.includes(item) ? new Error(`no ${item}`) : item * 10))
  })
  return { ask, asked }
}

test('what is asked for in one turn of the event loop goes together before the next turn, and each has its own answer', async () => {
  const { ask, asked } = asking()
  const answers = Promise.all([1, 2, 3].map(ask))
  await turnOfLoop()
  expect(asked).toEqual([[1, 2, 3]])
  expect(await answers).toEqual([10, 20, 30])
  expect(await ask(4)).toBe(40)
  expect(asked).toEqual([[1, 2, 3], [4]])
})

test('no call asks for more than it may, and nothing is left behind', async () => {
  const { ask, asked } = asking({ most: 2 })
  expect(await Promise.all([1, 2, 3, 4, 5].map(ask))).toEqual([10, 20, 30, 40, 50])
  expect(asked).toEqual([[1, 2], [3, 4], [5]])
})

test('what fails alone is told to whoever asked for it, and to nobody else', async () => {
  const { ask } = asking({ failing: [2] })
  const [first, second, third] = await Promise.allSettled([1, 2, 3].map(ask))
  expect([first, third]).toEqual([
    { status: 'fulfilled', value: 10 },
    { status: 'fulfilled', value: 30 },
  ])
  expect(second).toMatchObject({ status: 'rejected', reason: { message: 'no 2' } })
})

test('a call that fails is told to all that it was for, and the next one is made', async () => {
  let fails = true
  const ask = gather<number, number>(10, async (items) => {
    if (fails) throw new Error('away')
    return items
  })
  const lost = await Promise.allSettled([ask(1), ask(2)])
  expect(lost.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  fails = false
  expect(await ask(3)).toBe(3)
})
