import { expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { sampleAttempt } from '../contract/sample-jobs.ts'
import { sampleEvent } from '../support/core.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { jobStages } from '../support/job-stages.ts'

const { core } = await coreForFile()
const { start, finish } = jobStages(() => core)

/** A job as it was accepted by a version that wrote a field for each value. */
async function acceptedEarlier(): Promise<number> {
  const n = await core.accept()
  const job = await core.job(n)
  await core.redis.hdel(keys.job(n), 'about', 'contentType', 'correlation')
  const { eventId, cnpj, destination, queue, receivedAt } = job ?? {}
  await core.redis.hset(keys.job(n), {
    ...{ event: eventId, cnpj, destination, queue, receivedAt, updatedAt: receivedAt },
    ...{ type: sampleEvent.eventType, correlation: sampleEvent.correlationId },
    ...{ contentType: sampleEvent.contentType, round: 0, attempts: 0, roundStart: 0 },
  })
  expect(await core.job(n)).toEqual(job)
  return n
}

test('a job that an earlier version accepted is read as one of this version', async () => {
  const n = await acceptedEarlier()
  const { snapshots } = await core.records.snapshots([n], new Set([n]))
  expect(snapshots).toEqual([{ job: await core.job(n), body: sampleEvent.body, attempts: [], rounds: [] }])
})

test('a job that an earlier version accepted is delivered, and its changes tell what it is', async () => {
  const n = await acceptedEarlier()
  const accepted = await core.job(n)
  expect(await core.transitions.enqueue([n])).toMatchObject([{ kind: 'add', entry: { n, round: 0 } }])
  const begun = await start(n)
  expect(begun).toMatchObject({ kind: 'started', attempt: 1, attemptInRound: 1, body: sampleEvent.body })
  expect(begun).toMatchObject({ job: { ...accepted, ...{ status: 'DELIVERING', attempts: 1 }, ...changed } })
  await finish(n, 1, { status: 'DELIVERED', attempt: sampleAttempt(1) })
  const { eventId, cnpj, destination, queue, eventType } = accepted ?? {}
  for (const change of await core.journal(n))
    expect(change).toMatchObject({ n, eventId, cnpj, destination, queue, eventType })
  expect(await core.job(n)).toMatchObject({ status: 'DELIVERED', receivedAt: accepted?.receivedAt })
})

const changed = { journalId: expect.any(String), updatedAt: expect.any(Number) }

test.each([
  ['that its headers tell', 'text/csv', { 'content-type': 'text/csv' }],
  ['that is not in its headers', 'text/plain', {}],
  ['that none was named of', null, {}],
])('a job keeps a content type %s', async (_which, contentType, headers) => {
  const n = await core.accept({ contentType, headers })
  expect(await core.job(n)).toMatchObject({ contentType, headers })
})

test('a job keeps an event type with blanks in it', async () => {
  const n = await core.accept({ eventType: 'order paid  at last' })
  expect(await core.job(n)).toMatchObject({ eventType: 'order paid  at last' })
})
