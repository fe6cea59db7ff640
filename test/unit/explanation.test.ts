import { expect, test } from 'vitest'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'
import type { Job } from '../../src/events/job.ts'
import { explain } from '../../src/graphql/explanation.ts'

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

test.each<[Partial<Job>, string]>([
  [{}, 'Accepted at 2026-11-22T12:00:00.000Z and safe; it is on its way into queue nifi.'],
  [{ status: 'QUEUED' }, 'Waiting in queue nifi for a worker.'],
  [{ status: 'QUEUED', round: 2, attempts: 9 }, 'Queued again in nifi (round 2, 9 attempts before).'],
  [
    { status: 'QUEUED', round: 1, attempts: 1, reported: 'bad record' },
    'Queued again in nifi (round 1, 1 attempt before), because downstream reported: bad record.',
  ],
  [
    { status: 'HELD' },
    'Held back before it is sent to destination default, by an access window, a breaker or a pause.',
  ],
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
  expect(explain({ ...job, ...fields }, known)).toBe(sentence)
})

test('a job that waits for its destination is explained by what is the matter with that', () => {
  const retrying: Job = { ...job, status: 'RETRYING', nextAttemptAt: at }
  const inactive = (disabledReason: string | null) => ({
    ...known,
    settings: { ...destination, active: false, disabledReason },
  })
  const follows = 'Attempt 1 follows at 2026-11-22T12:00:00.000Z'
  expect([
    explain({ ...job, status: 'HELD' }, inactive('it answered 410 Gone')),
    explain({ ...job, status: 'HELD' }, inactive(null)),
    explain(retrying, { ...known, destination: undefined }),
    explain(retrying, undefined),
    explain(retrying, known),
  ]).toEqual([
    'Held back, because destination default is out of service (it answered 410 Gone).',
    'Held back, because destination default is out of service.',
    `The secrets of destination default cannot be read. ${follows}, if they can be by then.`,
    `Destination default cannot be found. ${follows}, if it is there by then.`,
    `Destination default could not be looked up, so nothing was sent yet. ${follows}.`,
  ])
})

test('a job that is kept back tells what it waits for, and how many come before it', () => {
  const place = { kind: 'turn', before: 41 } as const
  const waiting: Job = { ...job, status: 'QUEUED' }
  const turn =
    'Waiting for its turn at destination default, which has as much under way as it may; 41 jobs of its tenant come before it.'
  expect(explain(waiting, known, place)).toBe(turn)
  expect(explain({ ...waiting, round: 1, attempts: 1 }, known, place)).toBe(
    `Queued again in nifi (round 1, 1 attempt before). ${turn}`,
  )
  expect(explain({ ...waiting, status: 'RETRYING', attempts: 2 }, known, place)).toBe(
    `Attempt 2 did not succeed, and the next is due. ${turn}`,
  )
  expect(explain(waiting, known, { kind: 'order', before: 1 })).toBe(
    'Waiting for 1 job of its ordering key to be over, which came to destination default before it.',
  )
})
