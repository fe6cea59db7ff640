import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BreakerModel, type BreakerPolicy, type OutcomeClass } from '../support/breaker-model.ts'
import { coreForFile } from '../support/core-for-file.ts'

const { core } = await coreForFile()

const textOf = (name: string) =>
  readFileSync(new URL(`../../src/redis/scripts/${name}.lua`, import.meta.url), 'utf8')

/** Takes one breaker through many steps, with the functions that the transition script uses and a clock of the test's. */
const script = `${['job', 'breaker', 'breaker-outcomes'].map(textOf).join('\n')}
local key, answers = KEYS[1], {}
for _, step in ipairs(cjson.decode(ARGV[1])) do
  local now, policy = step.now, step.policy
  local answer
  if step.kind == 'start' then
    answer = breakerLets(readBreaker(key, now), step.n, step.leaseMs, now) and 'yes' or 'no'
  elseif step.kind == 'finish' then
    answer = breakerAtFinish(readBreaker(key, now), step.n, step.class, step.startedAt, policy, now)
  elseif step.kind == 'reset' then
    answer = resetBreaker(key, now)
  end
  local breaker = readBreaker(key, now)
  local limit = breakerLimit(breaker, now)
  answers[#answers + 1] = { answer or '-', breaker.state, limit and int(limit) or '-', int(breaker.probesAt) }
end
return answers`

/** Far ahead of Redis' own clock, so that no key ends while the test's clock stands. */
const begin = Math.floor(Date.now() / 10_000) * 10_000 + 86_400_000_000
const fast: BreakerPolicy = { failureRate: 0.5, attempts: 4, cooldownMs: 30_000 }
const leaseMs = 5_000
let runs = 0

type Step = { atMs: number } & (
  | { kind: 'start'; n: number }
  | { kind: 'finish'; n: number; class: OutcomeClass; startedAtMs: number }
  | { kind: 'reset' | 'look' }
)
type Seen = { answer: string; state: string; limit: string; probesAtMs: number }

async function walk(steps: readonly Step[], policy = fast): Promise<Seen[]> {
  runs += 1
  const given = steps.map((step) => ({
    ...step,
    now: begin + step.atMs,
    startedAt: begin + ('startedAtMs' in step ? step.startedAtMs : 0),
    leaseMs,
    policy: { ...policy, cooldown: policy.cooldownMs },
  }))
  const answers = await core.redis.eval(script, 1, `{gancho}:test:${runs}`, JSON.stringify(given))
  return (answers as string[][]).map(([answer = '', state = '', limit = '', probesAt = 0]) => ({
    ...{ answer, state, limit, probesAtMs: Number(probesAt) - begin },
  }))
}

const finish = (of: OutcomeClass, atMs: number, startedAtMs = atMs, n = 1): Step => ({
  ...{ kind: 'finish', class: of, atMs, startedAtMs, n },
})
const faults = (count: number, atMs: number) => Array.from({ length: count }, () => finish('fault', atMs))
const look = (atMs: number): Step => ({ kind: 'look', atMs })
const probe = (of: OutcomeClass, atMs: number, n = 1): Step[] => [
  { kind: 'start', n, atMs },
  finish(of, atMs, atMs, n),
]

test('a breaker opens at the failure rate and not below it, and not before there are enough attempts', async () => {
  const below = [finish('ok', 0), finish('ok', 0), finish('ok', 0), ...faults(2, 0)]
  const seen = await walk([...below, finish('fault', 1), look(30_000)])
  expect(seen.map(({ state }) => state)).toEqual([...below.map(() => 'closed'), 'open', 'open'])
  expect(seen.at(-2)).toMatchObject({ answer: 'opened', limit: '0', probesAtMs: 30_001 })
  const few = await walk(faults(3, 0))
  expect(few.at(-1)).toMatchObject({ answer: '-', state: 'closed', limit: '-' })
})

test('what an event is to blame for opens nothing, and attempts of over a minute ago count no more', async () => {
  const seen = await walk([
    ...Array.from({ length: 50 }, () => finish('none', 0)),
    ...[finish('fault', 0), finish('fault', 0), finish('ok', 0)],
    finish('fault', 60_000),
  ])
  expect(seen.at(-1)).toMatchObject({ answer: '-', state: 'closed' })
})

test('a destination with little to do is given up after as many faults in a row, however long they took', async () => {
  const seen = await walk([0, 3_600_000, 7_200_000, 9_000_000].map((atMs) => finish('fault', atMs)))
  expect(seen.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed', 'open'])
})

test('the cool-down doubles with each probe that fails, up to sixteen times the first, and begins anew after a good time', async () => {
  const steps = faults(4, 0)
  let at = 30_000
  const ends: number[] = []
  for (const times of [2, 4, 8, 16, 16]) {
    steps.push(...probe('fault', at))
    at += times * fast.cooldownMs
    ends.push(at)
  }
  const seen = await walk([...steps, ...probe('ok', at), look(at + 60_000), ...faults(4, at + 60_000)])
  const reopened = seen.filter((_, i) => i >= 4 && (i - 4) % 2 === 1).slice(0, 5)
  expect(reopened.map(({ probesAtMs }) => probesAtMs)).toEqual(ends)
  expect(reopened.map(({ answer }) => answer)).toEqual(['-', '-', '-', '-', '-'])
  expect(seen.at(-1)).toMatchObject({ answer: 'opened', probesAtMs: at + 60_000 + fast.cooldownMs })
})

test('three probes go at a time, one that crashed makes place when its lease ends, and other attempts decide nothing', async () => {
  const starts = (atMs: number, ...ns: number[]): Step[] => ns.map((n) => ({ kind: 'start', n, atMs }))
  const seen = await walk([
    ...faults(4, 0),
    ...starts(29_999, 1),
    ...starts(30_000, 1, 2, 3, 4, 1),
    finish('fault', 30_001, -9, 99),
    ...starts(34_999, 5),
    ...starts(35_000, 5),
    finish('ok', 35_001, 35_000, 5),
  ])
  expect(seen.slice(4).map(({ answer }) => answer)).toEqual(
    ['no', 'yes', 'yes', 'yes', 'no', 'yes', '-', 'no', 'yes', 'closed'], //
  )
})

test('after it closes it lets few go at a time, twice as many every five seconds, and opens sooner than before', async () => {
  const closed = [...faults(4, 0), ...probe('ok', 30_000)]
  const late = [30_000, 34_999, 35_000, 40_000, 89_999, 90_000]
  const seen = (await walk([...closed, ...late.map(look)])).slice(-late.length)
  expect(seen.map(({ limit }) => limit)).toEqual(['2', '2', '4', '8', '4096', '-'])
  const old = finish('fault', 31_000, 29_000)
  const eager = { ...fast, attempts: 40 }
  const again = await walk(
    [...faults(40, 0), ...probe('ok', 30_000), ...[old, old, old, old, old], ...faults(5, 32_000)],
    eager,
  )
  expect(again.slice(-2).map(({ state }) => state)).toEqual(['closing', 'open'])
  expect(again.at(-1)).toMatchObject({ answer: 'opened', probesAtMs: 92_000 })
})

test('a reset closes it at once, and forgets faults where it was not open', async () => {
  const reset = (atMs: number): Step => ({ kind: 'reset', atMs })
  const seen = await walk([
    ...faults(4, 0),
    reset(1),
    ...faults(3, 60_001),
    reset(60_001),
    ...faults(3, 60_001),
  ])
  expect(seen[4]).toMatchObject({ answer: 'closed', state: 'closing', limit: '2' })
  expect(seen.at(-1)).toMatchObject({ answer: '-', state: 'closed' })
})

const outcome = fc.constantFrom<OutcomeClass>('ok', 'ok', 'fault', 'fault', 'fault', 'none')
const anyStep = fc.record({
  waitMs: fc.oneof(fc.constant(0), fc.nat(3_000), fc.nat(40_000)),
  n: fc.integer({ min: 1, max: 5 }),
  kind: fc.constantFrom('start', 'finish', 'finish'),
  class: outcome,
  tookMs: fc.nat(20_000),
})
const policies = fc.record({
  failureRate: fc.constantFrom(0.25, 0.5, 1),
  attempts: fc.integer({ min: 1, max: 8 }),
  cooldownMs: fc.integer({ min: 1, max: 30_000 }),
})

test('whatever happens, the breaker in Redis is in the state that its rules give', async () => {
  const holds = fc.asyncProperty(policies, fc.array(anyStep, { maxLength: 60 }), async (policy, drawn) => {
    let atMs = 0
    const steps = drawn.map(({ waitMs, n, kind, class: of, tookMs }): Step => {
      atMs += waitMs
      return kind === 'start' ? { kind: 'start', n, atMs } : finish(of, atMs, atMs - tookMs, n)
    })
    const model = new BreakerModel(policy)
    const expected = steps.map((step) => {
      let answer = '-'
      if (step.kind === 'start') answer = model.start(step.n, leaseMs, step.atMs) ? 'yes' : 'no'
      if (step.kind === 'finish')
        answer = model.finish(step.n, step.class, step.startedAtMs, step.atMs) ?? '-'
      return [answer, model.state(step.atMs), String(model.limit(step.atMs) ?? '-')]
    })
    const seen = await walk(steps, policy)
    expect(seen.map(({ answer, state, limit }) => [answer, state, limit])).toEqual(expected)
  })
  await fc.assert(holds, { numRuns: 300 })
})
