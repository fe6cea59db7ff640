import { expect, onTestFinished, test } from 'vitest'
import { createJobPlaces } from '../../src/delivery/job-places.ts'
import { createQueueOverview } from '../../src/delivery/queue-overview.ts'
import { keys } from '../../src/redis/keys.ts'
import { sampleAttempt } from '../contract/sample-jobs.ts'
import { sampleEvent } from '../support/core.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { jobStages } from '../support/job-stages.ts'
import { letAllOut } from '../support/let-all-out.ts'

const { core } = await coreForFile()
const { start, finish } = jobStages(() => core)

/** A job as it was accepted by a version that wrote a field for each value. */
async function acceptedEarlier(named: Partial<typeof sampleEvent> = {}): Promise<number> {
  const event = { ...sampleEvent, ...named }
  const n = await core.accept(event)
  const job = await core.job(n)
  await core.redis.hdel(keys.job(n), 'about', 'contentType', 'correlation')
  const { eventId, cnpj, destination, queue, receivedAt } = job ?? {}
  await core.redis.hset(keys.job(n), {
    ...{ event: eventId, cnpj, destination, queue, receivedAt, updatedAt: receivedAt },
    ...{ type: event.eventType ?? '', correlation: event.correlationId ?? '' },
    ...{ contentType: event.contentType ?? '', round: 0, attempts: 0, roundStart: 0 },
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
  if (begun.kind !== 'started') throw new Error(`It was ${begun.kind}.`)
  expect(begun).toMatchObject({ attempt: 1, attemptInRound: 1, body: sampleEvent.body })
  expect(accepted).toMatchObject(begun.job)
  await finish(n, 1, { status: 'DELIVERED', attempt: sampleAttempt(1) })
  const { eventId, cnpj, destination, queue, eventType } = accepted ?? {}
  for (const change of await core.journal(n))
    expect(change).toMatchObject({ n, eventId, cnpj, destination, queue, eventType })
  expect(await core.job(n)).toMatchObject({ status: 'DELIVERED', receivedAt: accepted?.receivedAt })
})

test('jobs that an earlier version accepted wait for their turn like others, and count as waiting', async () => {
  onTestFinished(() => letAllOut(core.transitions))
  await core.transitions.release(new Map([['default', { concurrency: 1, slots: 50 }]]))
  const nameless = { eventType: null, correlationId: null, contentType: null, headers: {} }
  const [first, kept, last] = [
    await acceptedEarlier(),
    await acceptedEarlier(nameless),
    await acceptedEarlier(),
  ]
  expect(await core.transitions.enqueue([first, kept, last])).toMatchObject([
    { kind: 'add' },
    { kind: 'kept' },
    { kind: 'kept' },
  ])
  const overview = createQueueOverview(core)
  const { queue = '', receivedAt } = (await core.job(kept)) ?? {}
  expect(await overview.counts(queue)).toMatchObject({ waiting: 2, oldestWaitingAt: receivedAt })
  expect(await createJobPlaces(core.redis)([first, last])).toMatchObject([
    { waitsFor: null },
    { waitsFor: 'flow', ahead: 1 },
  ])
  await start(first)
  await finish(first, 1, { status: 'DELIVERED', attempt: sampleAttempt(1) })
  expect(await createJobPlaces(core.redis)([kept, last])).toMatchObject([
    { waitsFor: null },
    { waitsFor: 'flow', ahead: 0 },
  ])
  expect(await start(kept)).toMatchObject({ kind: 'started', job: { ...nameless, n: kept } })
})

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
