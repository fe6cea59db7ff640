import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Bulk } from '../../src/bulk/bulk.ts'
import { createBulkWork } from '../../src/bulk/bulk-work.ts'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { keys } from '../../src/redis/keys.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import { graphql } from '../gql/gql.ts'
import { bulkWorld } from '../support/bulks.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { newTenant, numericCnpj } from '../support/tenants.ts'

const Pause = graphql(
  `mutation PauseQueue($name: String!) { pauseQueue(name: $name) { paused pausedAt pausedBy } }`,
)
const Resume = graphql(
  `mutation ResumeQueue($name: String!) { resumeQueue(name: $name) { paused pausedAt pausedBy } }`,
)
const Drain = graphql(`
  mutation DrainQueue($name: String!, $confirm: String!) {
    drainQueue(name: $name, confirm: $confirm) { id action total createdBy }
  }
`)
const Explained = graphql(`query Explained($id: ID!) { job(id: $id) { status explanation } }`)

let services: TestServices
let world: ReturnType<typeof bulkWorld>
let steps: ReturnType<typeof jobSteps>
let tenant: Principal
const clientOf = (principal: Principal) =>
  graphqlClient(createGraphql({ services, log: console, maxEventBytes: 1_000 }), principal)

beforeAll(async () => {
  services = await openTestServices()
  world = bulkWorld(services)
  steps = jobSteps(services)
  tenant = await newTenant(services.tenants, numericCnpj, 'One')
})
afterAll(async () => {
  await world.stop()
  await services.close()
})
afterEach(() => services.queuePauses.resume('nifi'))

const newJob = async () => {
  const event = { cnpj: numericCnpj, eventType: null, correlationId: null, contentType: null, headers: {} }
  const { ns } = await services.intake.accept({ ...event, body: Buffer.from('x'), idempotencyKey: null })
  return ns[0] ?? 0
}
const queue = () => services.lanes.get('nifi').queue
const statusesOf = async (ns: readonly number[]) => {
  const jobs = new Map((await services.jobs.jobs(ns)).map(({ n, status }) => [n, status]))
  return ns.map((n) => jobs.get(n))
}

test('a queue is paused and resumed, and says since when and by whom', async () => {
  const client = clientOf(admin)
  const first = (await client.data(Pause, { name: 'nifi' })).pauseQueue
  expect(first).toEqual({ paused: true, pausedAt: expect.any(String), pausedBy: 'admin' })
  expect(await queue().isPaused()).toBe(true)
  const other = clientOf({ kind: 'admin', name: 'other', access: 'full' })
  expect((await other.data(Pause, { name: 'nifi' })).pauseQueue).toEqual(first)
  expect((await client.data(Resume, { name: 'nifi' })).resumeQueue).toEqual({
    ...{ paused: false, pausedAt: null, pausedBy: null },
  })
  expect(await queue().isPaused()).toBe(false)
})

test('a job that waits says that its queue is paused, and one that is over does not', async () => {
  const [waiting, over] = [await newJob(), await newJob()]
  await steps.enqueue(waiting)
  await steps.deliver(over)
  const explanation = async (n: number) =>
    (await clientOf(tenant).data(Explained, { id: `ID-${n}` })).job?.explanation
  expect(await explanation(waiting)).not.toContain('paused')
  await services.queuePauses.pause('nifi', { at: 1, by: 'admin' })
  expect(await explanation(waiting)).toMatch(/ Nothing is taken from queue nifi now: it is paused\.$/)
  expect(await explanation(over)).not.toContain('paused')
})

test('what BullMQ was told is put right in both directions', async () => {
  await services.queuePauses.pause('nifi', { at: 1, by: 'admin' })
  await queue().resume()
  await services.queuePauses.apply()
  expect(await queue().isPaused()).toBe(true)
  await services.redis.del(keys.paused)
  await services.queuePauses.apply()
  expect(await queue().isPaused()).toBe(false)
})

test('a drain discards what waits by then, whatever history knows yet, and nothing else', async () => {
  const [received, queued, retrying, failed, delivering] = [
    ...[await newJob(), await newJob(), await newJob()],
    ...[await newJob(), await newJob()],
  ] as [number, number, number, number, number]
  await steps.enqueue(queued)
  await steps.retryLater(retrying, 60_000)
  await steps.fail(failed)
  await steps.begin(delivering)
  const last = await newJob()
  const { drainQueue } = await clientOf(admin).data(Drain, { name: 'nifi', confirm: 'nifi' })
  expect(drainQueue).toMatchObject({ action: 'DISCARD', createdBy: 'admin' })
  const later = await newJob()
  // What is discarded makes room, so it needs none.
  world.startRunner({ hasRoom: async () => false })
  const { done, total, skipped } = await world.over(drainQueue.id)
  const all = [received, queued, retrying, last, failed, delivering, later]
  const discarded = Array(4).fill('DISCARDED')
  expect(await statusesOf(all)).toEqual([...discarded, 'FAILED', 'DELIVERING', 'RECEIVED'])
  expect(done).toBeGreaterThanOrEqual(4)
  expect(total).toBeGreaterThanOrEqual(done)
  expect(skipped).toMatchObject({ DELIVERING: 1 })
  expect(await queue().getJobState(`ID-${queued}.r0`)).toBe('unknown')
})

test('a drain that is taken up counts what was discarded before, and only that', async () => {
  const [before, gone, failed] = [await newJob(), await newJob(), await newJob()]
  await services.reprocess.discardWaiting(before)
  await services.reprocess.discard(gone)
  await steps.fail(failed)
  await services.historyCaughtUp()
  await expect.poll(() => services.records.jobs([before, gone])).toEqual([])
  const { reprocess, jobs, stores } = services
  const work = createBulkWork({ reprocess, jobs, history: stores.history })
  const batch = [before, gone, failed].map((n) => ({ n, round: 0 }))
  const bulk = { action: 'DISCARD', batch, skipped: {} } as unknown as Bulk
  expect(await work.work(bulk, true)).toEqual({ done: 2, skipped: { FAILED: 1 } })
  expect(await work.work(bulk, false)).toEqual({ done: 0, skipped: { CHANGED: 2, FAILED: 1 } })
})

test('nobody drains a queue by mistake, nor one that is not there, nor a tenant any', async () => {
  const client = clientOf(admin)
  expect(await client.codes(Drain, { name: 'nifi', confirm: 'yes' })).toEqual(['BAD_REQUEST'])
  expect(await client.codes(Drain, { name: 'none', confirm: 'none' })).toEqual(['QUEUE_NOT_FOUND'])
  expect(await client.codes(Pause, { name: 'none' })).toEqual(['QUEUE_NOT_FOUND'])
  expect(await client.codes(Resume, { name: 'none' })).toEqual(['QUEUE_NOT_FOUND'])
  expect(await clientOf(tenant).codes(Drain, { name: 'nifi', confirm: 'nifi' })).toEqual(['FORBIDDEN'])
  expect(await clientOf(tenant).codes(Pause, { name: 'nifi' })).toEqual(['FORBIDDEN'])
  expect(await world.store.running()).toEqual([])
})
