import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { keys } from '../../src/redis/keys.ts'
import { graphql } from '../gql/gql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { newTenant, numericCnpj } from '../support/tenants.ts'

const Reprocess = graphql(`
  mutation Reprocess($id: ID!) {
    reprocessJob(id: $id) {
      id status reprocessCount attemptCount failure { reason } attempts { number round outcome statusCode } explanation
    }
  }
`)
const Discard = graphql(`mutation Discard($id: ID!) { discardJob(id: $id) { status explanation } }`)
const FailedJob = graphql(`
  query FailedJob($id: ID!) {
    job(id: $id) {
      status explanation
      failure { reason error statusCode responseExcerpt attempts failedAt }
      attempts {
        number round startedAt outcome statusCode error requestHeaders responseHeaders responseBody
        timing { dnsMs connectMs tlsMs firstByteMs totalMs socketReused }
      }
    }
  }
`)

let services: TestServices
let client: ReturnType<typeof graphqlClient>
let steps: ReturnType<typeof jobSteps>

beforeAll(async () => {
  services = await openTestServices({ maxRounds: 1 })
  client = graphqlClient(createGraphql({ services, log: console, maxEventBytes: 1_000 }), admin)
  steps = jobSteps(services)
  await newTenant(services.tenants, numericCnpj, 'Padaria')
})
afterAll(() => services.close())

const newJob = async (): Promise<{ n: number; id: string }> => {
  const event = { cnpj: numericCnpj, eventType: null, correlationId: null, contentType: null, headers: {} }
  const { ns } = await services.intake.accept({ ...event, body: Buffer.from('x'), idempotencyKey: null })
  return { n: ns[0] ?? 0, id: `ID-${ns[0]}` }
}
const refusal = async (id: string) => {
  const { errors } = await client.send(Reprocess, { id })
  return errors?.map(({ extensions: { code, details } }) => ({ code, reason: details?.reason }))
}

test('a failed job tells why, with its attempts', async () => {
  const { n, id } = await newJob()
  await steps.fail(n)
  expect((await client.data(FailedJob, { id })).job).toEqual({
    status: 'FAILED',
    explanation: 'Failed for good at 2026-05-28T20:26:40.500Z after 1 attempt (EXHAUSTED): HTTP 500.',
    failure: {
      ...{
        reason: 'EXHAUSTED',
        error: 'HTTP 500',
        statusCode: 500,
        responseExcerpt: 'no space left',
        attempts: 1,
      },
      failedAt: '2026-05-28T20:26:40.500Z',
    },
    attempts: [
      {
        ...{ number: 1, round: 0, startedAt: '2026-05-28T20:26:40.000Z', outcome: 'FAILED', statusCode: 500 },
        ...{
          error: null,
          requestHeaders: { 'x-gancho-attempt': '1' },
          responseHeaders: { 'content-type': 'text/plain' },
        },
        responseBody: 'an answer',
        timing: {
          dnsMs: 0.2,
          connectMs: 0.3,
          tlsMs: null,
          firstByteMs: 1.5,
          totalMs: 2.1,
          socketReused: false,
        },
      },
    ],
  })
})

test('a failed job is queued for another round, and the answer shows it', async () => {
  const { n, id } = await newJob()
  await steps.fail(n)
  const { reprocessJob } = await client.data(Reprocess, { id })
  expect(reprocessJob).toEqual({
    ...{ id, status: 'QUEUED', reprocessCount: 1, attemptCount: 1, failure: null },
    attempts: [{ number: 1, round: 0, outcome: 'FAILED', statusCode: 500 }],
    explanation: 'Queued again in nifi (round 1, 1 attempt before).',
  })
  expect(await services.errorQueue.has('nifi', n, 0)).toBe(false)
  expect(await services.lanes.get('nifi').queue.getJobState(`ID-${n}.r1`)).toBe('waiting')
})

test('a delivered job is queued again although its record is gone', async () => {
  const { n, id } = await newJob()
  await steps.deliver(n)
  await services.historyCaughtUp()
  await expect.poll(() => services.records.jobs([n])).toEqual([])
  const { reprocessJob } = await client.data(Reprocess, { id })
  expect(reprocessJob).toMatchObject({ status: 'QUEUED', reprocessCount: 1, attemptCount: 1 })
  expect(reprocessJob.attempts).toHaveLength(1)
})

test('a second click within the same moments is told from the first', async () => {
  const { n, id } = await newJob()
  await steps.fail(n)
  await client.data(Reprocess, { id })
  expect(await refusal(id)).toEqual([{ code: 'ALREADY_REQUEUED', reason: 'ALREADY_REQUEUED' }])
})

test('a job that is not over says which conflict it is', async () => {
  const { n, id } = await newJob()
  expect(await refusal(id)).toEqual([{ code: 'JOB_STATE_CONFLICT', reason: 'ALREADY_QUEUED' }])
  await steps.begin(n)
  expect(await refusal(id)).toEqual([{ code: 'JOB_STATE_CONFLICT', reason: 'DELIVERING' }])
  expect(await client.codes(Discard, { id })).toEqual(['JOB_STATE_CONFLICT'])
})

test('a job beyond the limit of rounds is not queued again', async () => {
  const { n, id } = await newJob()
  await steps.fail(n)
  await services.reprocess.reprocess({ n })
  await steps.fail(n)
  // So long ago that it is no double click any more.
  await services.redis.hset(keys.job(n), 'requeuedAt', 1)
  expect(await refusal(id)).toEqual([{ code: 'REPROCESS_LIMIT', reason: 'REPROCESS_LIMIT' }])
})

test('a discarded job is out of the way for good', async () => {
  const { n, id } = await newJob()
  await steps.retryLater(n, 60_000)
  const { discardJob } = await client.data(Discard, { id })
  expect(discardJob.status).toBe('DISCARDED')
  expect(discardJob.explanation).toMatch(/^Discarded at .*Z after 1 attempt; it is not delivered any more\.$/)
  expect(await refusal(id)).toEqual([{ code: 'JOB_STATE_CONFLICT', reason: 'DISCARDED' }])
})

test('an unknown id is refused', async () => {
  expect(await refusal('ID-424242')).toEqual([{ code: 'JOB_NOT_FOUND', reason: undefined }])
  expect(await client.codes(Discard, { id: '7' })).toEqual(['JOB_NOT_FOUND'])
})
