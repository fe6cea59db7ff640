import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { coreForFile } from '../support/core-for-file.ts'

const { core } = await coreForFile()

const textOf = (name: string) =>
  readFileSync(new URL(`../../src/redis/scripts/${name}.lua`, import.meta.url), 'utf8')

/** Asks for one event at each of the given times, with the functions that the accept script uses and a clock of the test's. */
const script = `${['job', 'rate'].map(textOf).join('\n')}
local answers = {}
for i = 3, #ARGV do
  local bucket = readBucket(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[i]))
  local wait = waitMs(bucket)
  if wait == 0 then spendOne(bucket) end
  local remaining, fullMs = restOf(bucket)
  answers[#answers + 1] = { wait, remaining, fullMs }
end
return answers`

type Answer = { wait: number; remaining: number; fullMs: number }
type Limit = { milliRate: number; burst: number }

/** Far ahead of Redis' own clock, so that no key ends while the test's clock stands. */
const start = Date.now() + 86_400_000_000
let runs = 0

async function ask({ milliRate, burst }: Limit, times: readonly number[]): Promise<Answer[]> {
  runs += 1
  const args = [milliRate, burst, ...times.map((time) => start + time)]
  const answers = (await core.redis.eval(script, 1, `{gancho}:test:${runs}`, ...args)) as number[][]
  return answers.map(([wait = -1, remaining = -1, fullMs = -1]) => ({ wait, remaining, fullMs }))
}

/** How many events fit at `now`: since each accepted one no more may pass than the burst and what the time since then gives. */
function fits({ milliRate, burst }: Limit, accepted: readonly number[], now: number): number {
  const millionths = accepted.map(
    (time, i) => (burst - (accepted.length - i)) * 1_000_000 + milliRate * (now - time),
  )
  return Math.floor(Math.min(burst * 1_000_000, ...millionths) / 1_000_000)
}

const limits = fc.record({
  milliRate: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 1_000_000_000 })),
  burst: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 1_000_000 })),
})
const gap = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 5_000 }))
const gaps = fc.array(gap, { minLength: 1, maxLength: 40 })
const timesOf = (steps: readonly number[]) =>
  steps.map((_, i) => steps.slice(0, i + 1).reduce((a, b) => a + b))

test('an event is taken exactly when no span of time then holds more than the burst and what that time gives', async () => {
  const holds = fc.asyncProperty(limits, gaps, async (limit, steps) => {
    const times = timesOf(steps)
    const answers = await ask(limit, times)
    const accepted: number[] = []
    for (const [i, now] of times.entries()) {
      const fitted = fits(limit, accepted, now)
      expect(answers[i]?.wait === 0).toBe(fitted >= 1)
      if (fitted >= 1) accepted.push(now)
      expect(answers[i]?.remaining).toBe(Math.max(0, fitted - 1))
    }
  })
  await fc.assert(holds, { numRuns: 500 })
})

test('who is refused is told the very millisecond at which the event fits, and when all is free', async () => {
  const slow = fc.record({
    milliRate: fc.integer({ min: 1, max: 100_000 }),
    burst: fc.integer({ min: 1, max: 8 }),
  })
  const holds = fc.asyncProperty(slow, async (limit) => {
    const all = Array.from({ length: limit.burst + 1 }, () => 0)
    const { wait, fullMs } = (await ask(limit, all)).at(-1) as Answer
    expect((await ask(limit, [...all, wait - 1])).at(-1)?.wait).toBe(1)
    expect((await ask(limit, [...all, wait])).at(-1)?.wait).toBe(0)
    expect((await ask(limit, [...all, fullMs])).at(-1)?.remaining).toBe(limit.burst - 1)
    if (limit.burst > 1)
      expect((await ask(limit, [...all, fullMs - 1])).at(-1)?.remaining).toBe(limit.burst - 2)
  })
  await fc.assert(holds, { numRuns: 200 })
})

test('a clock that is set back neither locks a tenant out nor gives its burst again', async () => {
  const hour = 3_600_000
  const limit = { milliRate: 1_000, burst: 3 }
  const waits = (await ask(limit, [hour, hour, 0, 0, 1_000, 1_000])).map(({ wait }) => wait)
  expect(waits).toEqual([0, 0, 0, 1_000, 0, 1_000])
})

test('whose burst is lowered waits no longer than for the new one', async () => {
  runs += 1
  const key = `{gancho}:test:${runs}`
  await core.redis.eval(script, 1, key, 1_000, 100, ...Array.from({ length: 100 }, () => start))
  const [answer] = (await core.redis.eval(script, 1, key, 1_000, 2, start)) as number[][]
  expect(answer).toEqual([1_000, 0, 2_000])
})
