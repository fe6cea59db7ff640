import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createWaiters } from '../../src/sync/waiters.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Whether a promise has its end by now, and which. */
async function stateOf<Value>(promise: Promise<Value>): Promise<Value | 'waiting'> {
  for (let turn = 0; turn < 5; turn += 1) await undefined
  return Promise.race([promise, Promise.resolve('waiting' as const)])
}

test('every caller who waits for an id gets its outcome, and nobody else', async () => {
  const waiters = createWaiters<string>()
  const [a, b, other] = [waiters.wait('x', 1_000), waiters.wait('x', 9_000), waiters.wait('y', 1_000)]
  expect([waiters.count(), waiters.ids()]).toEqual([3, ['x', 'y']])
  waiters.settle('x', 'reply')
  waiters.settle('x', 'again')
  expect(await Promise.all([a, b])).toEqual(Array(2).fill({ kind: 'settled', outcome: 'reply' }))
  expect(await stateOf(other)).toBe('waiting')
  expect([waiters.count(), waiters.has('x'), waiters.has('y')]).toEqual([1, false, true])
})

test.each([1, 19, 20, 21, 999, 1_000, 5_000])(
  'a wait of %i ms ends at its deadline: not before, and within two ticks',
  async (timeoutMs) => {
    const waiters = createWaiters<string>()
    vi.advanceTimersByTime(7)
    const waiting = waiters.wait('x', timeoutMs)
    vi.advanceTimersByTime(timeoutMs - 1)
    expect(await stateOf(waiting)).toBe('waiting')
    vi.advanceTimersByTime(41)
    expect(await stateOf(waiting)).toEqual({ kind: 'deadline' })
    expect(waiters.count()).toBe(0)
  },
)

test('deadlines are kept when the process was held up in between', async () => {
  let now = 0
  const waiters = createWaiters<string>(() => now)
  const ends = [30, 500, 2_000].map((ms) => waiters.wait(`after ${ms}`, ms))
  now = 1_000
  vi.advanceTimersByTime(20)
  expect(await Promise.all(ends.map(stateOf))).toEqual([
    { kind: 'deadline' },
    { kind: 'deadline' },
    'waiting',
  ])
})

test('a caller who is gone is released, one who was gone before is none', async () => {
  const waiters = createWaiters<string>()
  const caller = new AbortController()
  const waiting = waiters.wait('x', 1_000, caller.signal)
  const staying = waiters.wait('x', 1_000)
  caller.abort()
  expect(await waiting).toEqual({ kind: 'released' })
  expect(await waiters.wait('x', 1_000, caller.signal)).toEqual({ kind: 'released' })
  expect([waiters.count(), await stateOf(staying)]).toEqual([1, 'waiting'])
})

test('ten thousand callers cost one timer, and none when nobody waits', async () => {
  const waiters = createWaiters<string>()
  expect(vi.getTimerCount()).toBe(0)
  const all = Array.from({ length: 10_000 }, (_, i) => waiters.wait(`id ${i}`, 1_000 + (i % 3_000)))
  expect(vi.getTimerCount()).toBe(1)
  for (let i = 0; i < 5_000; i += 1) waiters.settle(`id ${i}`, 'reply')
  vi.advanceTimersByTime(5_000)
  const kinds = (await Promise.all(all)).map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind === 'settled').length).toBe(5_000)
  expect(kinds.filter((kind) => kind === 'deadline').length).toBe(5_000)
  expect([waiters.count(), vi.getTimerCount()]).toEqual([0, 0])
})

test('when it stops, everyone learns so', async () => {
  const waiters = createWaiters<string>()
  const all = [waiters.wait('x', 1_000), waiters.wait('x', 1_000), waiters.wait('y', 1_000)]
  waiters.stop()
  expect(await Promise.all(all)).toEqual(Array(3).fill({ kind: 'stopping' }))
  expect([waiters.count(), vi.getTimerCount()]).toEqual([0, 0])
})
