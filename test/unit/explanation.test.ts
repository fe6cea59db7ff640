import { expect, test } from 'vitest'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'
import type { GateState } from '../../src/delivery/gates.ts'
import type { JobPlace } from '../../src/delivery/job-places.ts'
import type { Attempt, Job } from '../../src/events/job.ts'
import { explain } from '../../src/graphql/explanation.ts'
import { madeOf } from '../../src/graphql/job-parts.ts'
import { type Circumstances, jobWait } from '../../src/graphql/job-wait.ts'

const at = Date.UTC(2026, 10, 22, 12)
const job: Job = {
  ...{ n: 7, eventId: 'e', cnpj: '11222333000181', destination: 'default', queue: 'nifi', eventType: null },
  ...{ correlationId: null, contentType: null, headers: {}, status: 'RECEIVED', round: 0, attempts: 0 },
  ...{
    receivedAt: at,
    updatedAt: at,
    nextAttemptAt: null,
    deliveredAt: null,
    requeuedAt: null,
    failure: null,
  },
  ...{ reported: null, journalId: '1-0' },
}
const destination = environmentDestination('http://127.0.0.1:1/')
const known = { settings: destination, destination }
const failure = {
  ...{ reason: 'EXHAUSTED', error: 'HTTP 503', statusCode: 503, responseExcerpt: null, attempts: 8 },
  ...{ firstAttemptAt: at, lastAttemptAt: at, failedAt: at },
}

const breaker: GateState['breaker'] = { state: 'CLOSED', failureRate: null, openedAt: null, probesAt: null }
const open: GateState = { breaker, shut: null, nextTurnAt: null }
const free: JobPlace = {
  ...{ waitsFor: null, ahead: 0, first: null, turnAt: null, underWay: 0, concurrency: 10, workerSeenAt: at },
}
const usual: Circumstances = {
  ...{ known, gate: open, place: free, isPaused: false, attempt: undefined, now: at - 1 },
}

/** What a list reads of the job for this field. */
const listed = (job: Job, field: 'explanation' | 'wait') =>
  Object.fromEntries((madeOf[field] ?? []).map((part) => [part, job[part]])) as Job

function told(job: Job, around: Partial<Circumstances> = {}): string {
  const all = { ...usual, ...around }
  return explain(listed(job, 'explanation'), all.known, jobWait(listed(job, 'wait'), all))
}

test.each<[Partial<Job>, string]>([
  [{}, 'Accepted at 2026-11-22T12:00:00.000Z and safe; it is on its way into queue nifi.'],
  [{ status: 'QUEUED' }, 'Waiting in queue nifi for a worker.'],
  [{ status: 'QUEUED', round: 2, attempts: 9 }, 'Queued again in nifi (round 2, 9 attempts before).'],
  [
    { status: 'QUEUED', round: 1, attempts: 1, reported: 'bad record' },
    'Queued again in nifi (round 1, 1 attempt before), because downstream reported: bad record.',
  ],
  [{ status: 'HELD' }, 'Waiting in queue nifi for a worker.'],
  [{ status: 'DELIVERING', attempts: 3 }, 'Attempt 3 to deliver it to destination default is under way.'],
  [
    { status: 'RETRYING', attempts: 3, nextAttemptAt: at },
    'Attempt 3 did not succeed. Attempt 4 follows at 2026-11-22T12:00:00.000Z.',
  ],
  [
    { status: 'DELIVERED', attempts: 1, deliveredAt: at },
    'Delivered to destination default at 2026-11-22T12:00:00.000Z with attempt 1.',
  ],
  [
    { status: 'FAILED', attempts: 12, failure },
    'Failed for good at 2026-11-22T12:00:00.000Z after 8 attempts (EXHAUSTED): HTTP 503.',
  ],
  [
    { status: 'DISCARDED', attempts: 2 },
    'Discarded at 2026-11-22T12:00:00.000Z after 2 attempts; it is not delivered any more.',
  ],
])('a job is explained by what its record says: %o', (fields, sentence) => {
  expect(told({ ...job, ...fields })).toBe(sentence)
})

test('a job that waits for its destination is explained by what is the matter with that', () => {
  const retrying: Job = { ...job, status: 'RETRYING', nextAttemptAt: at }
  const inactive = (disabledReason: string | null) => ({
    ...known,
    settings: { ...destination, active: false, disabledReason },
  })
  const outOfService: GateState = { ...open, shut: { why: 'OUT_OF_SERVICE', until: 0 } }
  const follows = 'Attempt 1 follows at 2026-11-22T12:00:00.000Z'
  expect([
    told({ ...job, status: 'HELD' }, { known: inactive('it answered 410 Gone'), gate: outOfService }),
    told({ ...job, status: 'HELD' }, { known: inactive(null), gate: outOfService }),
    told(retrying, { known: { ...known, destination: undefined } }),
    told(retrying, { known: undefined }),
    told(retrying),
  ]).toEqual([
    'Held back, because destination default is out of service (it answered 410 Gone).',
    'Held back, because destination default is out of service.',
    `The secrets of destination default cannot be read. ${follows}, if they can be by then.`,
    `Destination default cannot be found. ${follows}, if it is there by then.`,
    `Destination default could not be looked up, so nothing was sent yet. ${follows}.`,
  ])
})

const later = Date.UTC(2026, 10, 22, 12, 30)
const until = '2026-11-22T12:30:00.000Z'
const broken = (state: GateState['breaker']['state']) => ({ ...breaker, state, failureRate: 0.853 })
const queue: JobPlace = { ...free, waitsFor: 'flow', ahead: 41 }
const turn = 'Waiting for its turn at destination default'

test.each<[string, Partial<Circumstances>, object, string]>([
  [
    'no worker',
    { place: { ...free, workerSeenAt: null } },
    { reason: 'NO_WORKER' },
    'Waiting in queue nifi: no worker is running.',
  ],
  [
    'no worker of late',
    { place: { ...free, workerSeenAt: at - 60_000 } },
    { reason: 'NO_WORKER' },
    'Waiting in queue nifi: no worker is running.',
  ],
  [
    'a pause',
    { isPaused: true, place: queue },
    { reason: 'QUEUE_PAUSED', ahead: 41 },
    'Waiting in queue nifi. Nothing is taken from queue nifi now: it is paused.',
  ],
  ['a worker', {}, { reason: 'WORKER', ahead: null }, 'Waiting in queue nifi for a worker.'],
  [
    'hours',
    { gate: { ...open, shut: { why: 'DELIVERY_WINDOW', until: later } } },
    { reason: 'DELIVERY_WINDOW', until: later },
    `Held back until ${until}, because it is outside the hours of destination default.`,
  ],
  [
    'an open breaker',
    { gate: { ...open, breaker: broken('OPEN'), shut: { why: 'BREAKER', until: later } }, place: queue },
    { reason: 'BREAKER', until: later, ahead: 41 },
    `Held back until ${until}, because destination default failed too much (85 % of its attempts).`,
  ],
  [
    'a breaker that is tried',
    { gate: { ...open, breaker: broken('HALF_OPEN') }, place: queue },
    { reason: 'BREAKER', until: null },
    'Held back, because destination default failed too much (85 % of its attempts); it is tried with a few jobs now.',
  ],
  [
    'a breaker that closes',
    { gate: { ...open, breaker: broken('CLOSING') }, place: queue },
    { reason: 'BREAKER', ahead: 41 },
    'Waiting for its turn: destination default works again, and gets few jobs at a time at first.',
  ],
  [
    'a turn that it was given',
    {
      place: { ...free, turnAt: later },
      known: { ...known, settings: { ...destination, ratePerSecond: 3 } },
    },
    { reason: 'RATE', until: later },
    `Waiting for its turn at ${until}: destination default gets 3 attempts a second at most.`,
  ],
  [
    'the rate of others',
    {
      ...{ place: queue, gate: { ...open, nextTurnAt: later } },
      known: { ...known, settings: { ...destination, ratePerSecond: 2 } },
    },
    { reason: 'RATE', until: later + 20_500, ahead: 41 },
    `Waiting for its turn, not before ${new Date(later + 20_500).toISOString()}: destination default gets 2 attempts a second at most.`,
  ],
  [
    'others',
    { place: queue },
    { reason: 'BACKLOG', ahead: 41 },
    `${turn}; 41 jobs of its tenant come before it.`,
  ],
  [
    'room',
    { place: { ...queue, underWay: 10, ahead: 1 } },
    { reason: 'CONCURRENCY', ahead: 1 },
    `${turn}, which has as much under way as it may; 1 job of its tenant comes before it.`,
  ],
  [
    'order',
    { place: { ...free, waitsFor: 'order', ahead: 1, first: 5 } },
    { reason: 'ORDER', ahead: 1, first: 5 },
    'Waiting for 1 job of its ordering key to be over, which came to destination default before it; the first is ID-5.',
  ],
])('a job that waits for %s says so, in fields and in a sentence', (_, around, fields, sentence) => {
  const queued: Job = { ...job, status: 'QUEUED' }
  expect(jobWait(queued, { ...usual, ...around })).toMatchObject(fields)
  expect(told(queued, around)).toBe(sentence)
  const isQueued = fields !== null && (fields as { reason: string }).reason === 'WORKER'
  const again = 'Queued again in nifi (round 1, 1 attempt before).'
  expect(told({ ...queued, round: 1, attempts: 1 }, around)).toBe(isQueued ? again : `${again} ${sentence}`)
})

test('a job that is tried again says when, whether its destination asked for that, and what else it waits for then', () => {
  const retrying: Job = { ...job, status: 'RETRYING', attempts: 2, nextAttemptAt: later }
  const attempt: Attempt = {
    ...{ number: 2, round: 0, startedAt: at - 100, outcome: 'RETRY', statusCode: 503, error: null },
    ...{ requestHeaders: {}, responseHeaders: { 'retry-after': '1800' }, responseBody: null },
    timing: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 1, totalMs: 100, socketReused: true },
  }
  expect(jobWait(retrying, { ...usual, attempt })).toMatchObject({ reason: 'RETRY_AFTER', until: later })
  expect(told(retrying, { attempt })).toBe(
    `Attempt 2 did not succeed. Attempt 3 follows at ${until}, as the destination asked for by Retry-After.`,
  )
  const soon = { ...attempt, responseHeaders: { 'retry-after': '1' } }
  expect(jobWait(retrying, { ...usual, attempt: soon })).toMatchObject({ reason: 'BACKOFF', until: later })
  expect(told(retrying, { attempt: soon })).toBe(`Attempt 2 did not succeed. Attempt 3 follows at ${until}.`)
  expect(told(retrying, { attempt, place: queue, now: later })).toBe(
    'Attempt 2 did not succeed, and the next is due. Waiting in queue nifi: no worker is running.',
  )
  const due = { attempt, now: later, place: { ...queue, workerSeenAt: later } }
  expect(told(retrying, due)).toBe(
    `Attempt 2 did not succeed, and the next is due. ${turn}; 41 jobs of its tenant come before it.`,
  )
})

test('what is being delivered, or over, waits for nothing', () => {
  const statuses = ['DELIVERING', 'DELIVERED', 'FAILED', 'DISCARDED'] as const
  expect(statuses.map((status) => jobWait({ ...job, status }, usual))).toEqual([null, null, null, null])
  expect(jobWait(job, usual)).toMatchObject({ reason: 'DISPATCH' })
  expect(told(job, { place: { ...free, workerSeenAt: null } })).toMatch(/No worker is running\.$/)
})
