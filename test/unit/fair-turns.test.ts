import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { fairBulkhead } from '../../src/journal/fair-bulkhead.ts'
import { FairQueue } from '../../src/journal/fair-queue.ts'
import { Pacer } from '../../src/journal/pacer.ts'

const spin = (ms: number) => {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('owners take turns, then their groups, and each group keeps its order', () => {
  const queue = new FairQueue<string>()
  for (const item of ['a1-0', 'a1-1', 'a1-2', 'a2-0', 'a2-1', 'a3-0', 'b1-0', 'b1-1', 'c1-0'])
    queue.push({ owner: item[0], group: item.slice(0, 2) }, item)
  const first = Array.from({ length: 5 }, () => queue.shift())
  queue.push({ owner: 'd', group: 'd1' }, 'd1-0')
  const rest = Array.from({ length: 6 }, () => queue.shift())
  expect(first).toEqual(['a1-0', 'b1-0', 'c1-0', 'a2-0', 'b1-1'])
  expect(rest).toEqual(['a3-0', 'd1-0', 'a1-1', 'a2-1', 'a1-2', undefined])
})

test('only so many run at one time, a failed one gives its place on, and who waits is served in turns', async () => {
  const run = fairBulkhead(2)
  const begun: string[] = []
  let [running, most] = [0, 0]
  const work = (name: string) =>
    run({ owner: name[0], group: name[0] }, async () => {
      begun.push(name)
      running += 1
      most = Math.max(most, running)
      await turnOfLoop()
      running -= 1
      if (name === 'a2') throw new Error(name)
    })
  const all = ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2'].map(work)
  const failed = (await Promise.allSettled(all)).flatMap((one) =>
    one.status === 'rejected' ? one.reason : [],
  )
  expect(failed).toEqual([new Error('a2')])
  expect(begun).toEqual(['a1', 'a2', 'a3', 'b1', 'a4', 'b2', 'a5'])
  expect(most).toBe(2)
  await work('later')
})

test('work in turns goes on piece by piece, and leaves the event loop to others after a few of them', async () => {
  const pacer = new Pacer()
  const did: string[] = []
  const piece = async (owner: string, i: number) => {
    await pacer.turn({ owner, group: owner })
    // Alone until it waits for something, however long its chain of promises.
    for (let step = 0; step < 20; step++) await null
    spin(4)
    did.push(`${owner}${i}`)
  }
  const all = Promise.all([
    ...Array.from({ length: 30 }, (_, i) => piece('a', i)),
    ...Array.from({ length: 2 }, (_, i) => piece('b', i)),
  ])
  const between: number[] = []
  while (did.length < 32) {
    const before = did.length
    await turnOfLoop()
    between.push(did.length - before)
  }
  await all
  expect(did.slice(0, 5)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2'])
  expect(did.slice(4)).toEqual(Array.from({ length: 28 }, (_, i) => `a${i + 2}`))
  // Ten milliseconds, and what was begun within them.
  expect(Math.max(...between)).toBeLessThanOrEqual(6)
})
