import { expect, test } from 'vitest'
import { deliveryTerms } from '../../src/delivery/delivery-terms.ts'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'
import { createRetryPolicy, nextStep } from '../../src/delivery/retry-policy.ts'

const policy = createRetryPolicy({ scheduleSeconds: [10, 60], forSeconds: 3600, finalStatuses: [400] })
const defaults = { policy, timeoutMs: 30_000, blockMs: 60_000 }
const environments = environmentDestination('https://example.com/')
const stored = { ...environments, id: 'dst_1' }
const job = { receivedAt: 1_000_000, requeuedAt: null }

test('the destination of the environment is delivered to as the environment says', () => {
  expect(deliveryTerms(environments, job, defaults)).toEqual({ ...defaults, deadlineAt: null })
})

test('a destination that sets nothing takes the terms of the environment, and 410 is final whatever those are', () => {
  const terms = deliveryTerms(stored, job, defaults)
  expect(terms).toMatchObject({ timeoutMs: 30_000, deadlineAt: null })
  expect(terms.policy).toEqual({ ...policy, finalStatuses: new Set([400, 410]) })
})

test('a destination sets its own schedule, statuses and time', () => {
  const own = { ...stored, retryScheduleSeconds: [1, 2, 3], finalStatuses: [422], timeoutMs: 120_000 }
  const terms = deliveryTerms(own, job, defaults)
  expect(terms.timeoutMs).toBe(120_000)
  expect(terms.policy).toMatchObject({
    scheduleMs: [1000, 2000, 3000],
    forMs: 0,
    finalStatuses: new Set([422, 410]),
  })
  expect(deliveryTerms({ ...own, retryForSeconds: 7 }, job, defaults).policy.forMs).toBe(7000)
  expect(deliveryTerms({ ...stored, retryForSeconds: 0 }, job, defaults).policy).toMatchObject({
    scheduleMs: [10_000, 60_000],
    forMs: 0,
  })
  expect(
    deliveryTerms({ ...own, retryScheduleSeconds: [], finalStatuses: [] }, job, defaults).policy,
  ).toMatchObject({ scheduleMs: [], finalStatuses: new Set([410]) })
})

test('the deadline counts from the acceptance, and anew from when the job was queued again', () => {
  const hour = { ...stored, jobDeadlineSeconds: 3600 }
  expect(deliveryTerms(hour, job, defaults).deadlineAt).toBe(4_600_000)
  expect(deliveryTerms(hour, { ...job, requeuedAt: 2_000_000 }, defaults).deadlineAt).toBe(5_600_000)
})

const busy = (retryAfterMs: number | null) => ({ kind: 'answered', status: 503, retryAfterMs }) as const
const late = { ...policy, random: () => 0.999 }

test('the next attempt is brought forward to where it can still be over by the deadline, and after that there is none', () => {
  expect(nextStep(late, 1, busy(null), 0, 4_000)).toEqual({ do: 'retry', delayMs: 4_000 })
  expect(nextStep(late, 1, busy(null), 0, 20_000)).toEqual({ do: 'retry', delayMs: 9_990 })
  expect(nextStep(late, 1, busy(null), 0, 0)).toEqual({ do: 'give-up', why: 'DEADLINE' })
  expect(nextStep(late, 1, busy(null), 0, -1)).toEqual({ do: 'give-up', why: 'DEADLINE' })
})

test('a receiver that wants to be left alone beyond the deadline gets no further attempt, and none before it asked', () => {
  expect(nextStep(late, 1, busy(60_001), 0, 60_000)).toEqual({ do: 'give-up', why: 'DEADLINE' })
  expect(nextStep(late, 1, busy(60_000), 0, 60_000)).toEqual({ do: 'retry', delayMs: 60_000 })
})

test('an answer that settles the matter counts after the deadline too', () => {
  expect(nextStep(late, 1, { kind: 'answered', status: 204, retryAfterMs: null }, 0, -1)).toEqual({
    do: 'done',
  })
  const gone = { kind: 'answered', status: 400, retryAfterMs: null } as const
  expect(nextStep(late, 1, gone, 0, -1)).toEqual({ do: 'give-up', why: 'FINAL_STATUS' })
})

test('an address that deliveries may not go to is final at once', () => {
  expect(nextStep(policy, 1, { kind: 'refused', error: 'no' }, 0)).toEqual({
    do: 'give-up',
    why: 'DESTINATION_NOT_ALLOWED',
  })
})
