import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../../src/delivery/attempt.ts'
import { createRetryPolicy, nextStep, withinBlock } from '../../src/delivery/retry-policy.ts'

const answered = (status: number, retryAfterMs: number | null = null): Outcome => ({
  kind: 'answered',
  status,
  retryAfterMs,
})
const unanswered: Outcome = { kind: 'unanswered', error: 'ECONNRESET the receiver reset the connection' }
const policy = createRetryPolicy({ scheduleSeconds: [10, 60], random: () => 0.5 })

const failures = fc.oneof(
  fc.constant(unanswered),
  fc.record({
    kind: fc.constant('answered' as const),
    status: fc.integer({ min: 300, max: 599 }).filter((status) => status !== 410),
    retryAfterMs: fc.option(fc.nat({ max: 10 * 86_400_000 })),
  }),
)
const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('every 2xx is done, after any attempt', () => {
  for (const status of [200, 202, 204, 299])
    expect(nextStep(policy, 99, answered(status), 0)).toEqual({ do: 'done' })
})

test('410 gives up at once, also when it asks for a repeat', () => {
  expect(nextStep(policy, 1, answered(410, 1000), 0)).toEqual({ do: 'give-up', why: 'FINAL_STATUS' })
})

test('redirects, client errors, server errors and silence are retried', () => {
  for (const outcome of [answered(301), answered(400), answered(404), answered(500), unanswered])
    expect(nextStep(policy, 1, outcome, 0)).toEqual({ do: 'retry', delayMs: 5000 })
})

test('the final statuses are configurable, and then 410 is retried unless named', () => {
  const own = createRetryPolicy({ scheduleSeconds: [10], finalStatuses: [400, 422], random: () => 0 })
  expect(nextStep(own, 1, answered(422), 0)).toEqual({ do: 'give-up', why: 'FINAL_STATUS' })
  expect(nextStep(own, 1, answered(410), 0)).toEqual({ do: 'retry', delayMs: 0 })
})

test('Retry-After counts when it asks for longer than was drawn, up to a day', () => {
  expect(nextStep(policy, 1, answered(503, 7000), 0)).toEqual({ do: 'retry', delayMs: 7000 })
  expect(nextStep(policy, 1, answered(503, 3000), 0)).toEqual({ do: 'retry', delayMs: 5000 })
  expect(nextStep(policy, 1, answered(503, 9e15), 0)).toEqual({ do: 'retry', delayMs: 86_400_000 })
})

test('an empty schedule means a single attempt', () => {
  const once = createRetryPolicy({ scheduleSeconds: [] })
  expect(nextStep(once, 1, unanswered, 0)).toEqual({ do: 'give-up', why: 'EXHAUSTED' })
})

test('a delay is a whole number between 0 and its bound, or what the receiver asked for within the cap', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 100_000 }), { minLength: 1 }),
      fc.nat(),
      failures,
      draws,
      (scheduleSeconds, position, outcome, draw) => {
        const drawn = createRetryPolicy({ scheduleSeconds, random: () => draw })
        const attempt = (position % scheduleSeconds.length) + 1
        const step = nextStep(drawn, attempt, outcome, 0)
        if (step.do !== 'retry') throw new Error(`expected a retry, got ${step.do}`)
        const asked = outcome.kind === 'answered' ? (outcome.retryAfterMs ?? 0) : 0
        const bound = Number(drawn.scheduleMs[attempt - 1])
        expect(Number.isInteger(step.delayMs)).toBe(true)
        expect(step.delayMs).toBeGreaterThanOrEqual(Math.min(asked, 86_400_000))
        expect(step.delayMs).toBeLessThanOrEqual(Math.max(bound, Math.min(asked, 86_400_000)))
      },
    ),
  )
})

test('failures are retried exactly as often as there are bounds, and never again after that', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 100 })),
      fc.array(failures, { minLength: 1 }),
      draws,
      (bounds, outcomes, draw) => {
        const drawn = createRetryPolicy({ scheduleSeconds: bounds, random: () => draw })
        const steps = Array.from({ length: bounds.length + 3 }, (_, index) =>
          nextStep(drawn, index + 1, outcomes[index % outcomes.length] ?? unanswered, 0),
        )
        expect(steps.filter((step) => step.do === 'retry')).toHaveLength(bounds.length)
        expect(steps.slice(bounds.length)).toEqual(Array(3).fill({ do: 'give-up', why: 'EXHAUSTED' }))
      },
    ),
  )
})

test('a round that its draws would end early goes on with the last bound for as long as it must', () => {
  const lucky = createRetryPolicy({ scheduleSeconds: [1, 10], forSeconds: 60, random: () => 0.5 })
  expect(nextStep(lucky, 3, unanswered, 59_999)).toEqual({ do: 'retry', delayMs: 5000 })
  expect(nextStep(lucky, 9, unanswered, 59_999)).toEqual({ do: 'retry', delayMs: 5000 })
  expect(nextStep(lucky, 9, unanswered, 60_000)).toEqual({ do: 'give-up', why: 'EXHAUSTED' })
  expect(nextStep(lucky, 2, unanswered, 60_000), 'every bound is used').toMatchObject({ do: 'retry' })
})

test('a job that others wait for is tried until it has held them up for long enough, and at the end of that once more', () => {
  const retry = { do: 'retry', delayMs: 5_000 } as const
  expect(withinBlock(retry, 9_000)).toEqual(retry)
  expect(withinBlock(retry, 2_000)).toEqual({ do: 'retry', delayMs: 2_000 })
  expect(withinBlock(retry, 0)).toEqual({ do: 'give-up', why: 'ORDER_BLOCKED' })
  expect(withinBlock({ do: 'done' }, 0)).toEqual({ do: 'done' })
})
