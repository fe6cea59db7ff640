import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Bulk } from '../../src/bulk/bulk.ts'
import { createBulkService } from '../../src/bulk/bulk-service.ts'
import { createBulkWork } from '../../src/bulk/bulk-work.ts'
import { previewTokens } from '../../src/bulk/preview-token.ts'
import type { Reprocess } from '../../src/delivery/reprocess.ts'
import type { HistoryStore, JobsFilter } from '../../src/history/history-store.ts'
import { createJobReader, type JobReader } from '../../src/history/job-reader.ts'
import { createLease } from '../../src/redis/lease.ts'
import { sampleJob, snapshot } from '../contract/sample-jobs.ts'
import { bulkWorld } from '../support/bulks.ts'
import { until } from '../support/client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { newTenant, numericCnpj } from '../support/tenants.ts'

const ops = { kind: 'admin', name: 'ops' } as const
const fast = { ratePerSecond: 1_000 }

let services: TestServices
let steps: ReturnType<typeof jobSteps>
let world: ReturnType<typeof bulkWorld>

beforeAll(async () => {
  services = await openTestServices()
  await newTenant(services.tenants, numericCnpj, 'Padaria')
})
afterAll(() => services.close())
beforeEach(() => {
  steps = jobSteps(services)
  world = bulkWorld(services)
})
afterEach(() => world.stop())

const newJob = async (): Promise<number> => {
  const event = { cnpj: numericCnpj, eventType: null, correlationId: null, contentType: null, headers: {} }
  const { ns } = await services.intake.accept({ ...event, body: Buffer.from('x'), idempotencyKey: null })
  return ns[0] ?? 0
}
const failedJobs = async (count: number): Promise<number[]> => {
  const ns: number[] = []
  for (let i = 0; i < count; i += 1) {
    const n = await newJob()
    await steps.fail(n)
    ns.push(n)
  }
  await services.historyCaughtUp()
  return ns
}
const preview = (filter: JobsFilter) => services.bulks.service.preview(filter, ops)
const commit = async (filter: JobsFilter, options = fast): Promise<Bulk> =>
  services.bulks.service.commit((await preview(filter)).token, ops, options)
const serviceOver = (history: HistoryStore, now: () => number) =>
  createBulkService({
    ...{ store: world.store, history, tell: async () => 0, now },
    newest: async () => ({ journalId: '0-0', n: 0 }),
    tokens: previewTokens(services.cipher, now),
  })
const roundsOf = async (ns: readonly number[]) => {
  const jobs = new Map(
    (await services.jobs.jobs(ns)).map(({ n, round, status }) => [n, `${status} ${round}`]),
  )
  return ns.map((n) => jobs.get(n))
}
const all = (text: string, { length }: readonly number[]) => Array(length).fill(text)

test('a preview counts and shows the oldest jobs, and changes nothing', async () => {
  const ns = await failedJobs(12)
  const shown = await preview({ ns })
  expect(shown).toMatchObject({ count: 12, hasMore: false })
  expect(shown.sample.map(({ n }) => n)).toEqual(ns.slice(0, 10))
  expect(shown.oldestAt).toBe(shown.sample[0]?.receivedAt)
  expect(await roundsOf(ns)).toEqual(all('FAILED 0', ns))
  expect(await world.store.running()).toEqual([])
})

test('every job that was shown is queued again once, and whoever watches sees it go on to its end', async () => {
  const ns = await failedJobs(60)
  const { id, total } = await commit({ ns })
  expect(total).toBe(60)
  const seen: Bulk[] = []
  const watching = (async () => {
    for await (const bulk of services.bulks.updates.of({ topic: '', id })) seen.push(bulk)
  })()
  await until(() => seen.length > 0, { what: 'the first state' })
  world.startRunner()
  await watching
  expect(seen[0]).toMatchObject({ status: 'RUNNING', done: 0, finishedAt: null })
  expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED', done: 60, skipped: {}, total: 60 })
  expect(await roundsOf(ns)).toEqual(all('QUEUED 1', ns))
  expect(await services.errorQueue.has('nifi', ns[0] ?? 0, 0)).toBe(false)
  expect(await services.lanes.get('nifi').queue.getJobState(`ID-${ns[0]}.r1`)).toBe('waiting')
  expect(await world.store.running()).toEqual([])
})

test('jobs that changed since the preview are left as they are, and counted', async () => {
  const ns = await failedJobs(6)
  const [again = 0, discarded = 0, failedAnew = 0, ...rest] = ns
  const { token } = await preview({ ns })
  await services.reprocess.reprocess({ n: again })
  await services.reprocess.discard(discarded)
  await services.reprocess.reprocess({ n: failedAnew })
  await steps.fail(failedAnew)
  await services.historyCaughtUp()
  const { id } = await services.bulks.service.commit(token, ops, fast)
  world.startRunner()
  expect(await world.over(id)).toMatchObject({ status: 'COMPLETED', done: 3, skipped: { CHANGED: 3 } })
  expect(await roundsOf([again, discarded, failedAnew])).toEqual(['QUEUED 1', 'DISCARDED 0', 'FAILED 1'])
  expect(await roundsOf(rest)).toEqual(all('QUEUED 1', rest))
})

test('a job whose change history has not heard of is refused by its record, and counted with the reason', async () => {
  const ns = await failedJobs(2)
  const { id } = await commit({ ns })
  const bulk = await world.store.read(id)
  const batch = ns.map((n) => ({ n, round: 0 }))
  // As if it had been listed a moment before somebody else queued it again.
  await services.reprocess.reprocess({ n: ns[0] ?? 0, round: 0 })
  const { reprocess, jobs, stores } = services
  const work = createBulkWork({ reprocess, jobs, history: stores.history })
  expect(await work.work({ ...(bulk as Bulk), batch }, false)).toEqual({
    done: 1,
    skipped: { OTHER_ROUND: 1 },
  })
})

test('a job whose record goes into history while its rounds are looked for counts as done by the bulk that did it', async () => {
  const { stores, records, reprocess } = services
  const [n = 0] = await failedJobs(1)
  const { id } = await commit({ ns: [n] })
  const bulk = { ...((await world.store.read(id)) as Bulk), batch: [{ n, round: 0 }] }
  const ofBulk = (jobs: JobReader) => createBulkWork({ reprocess, jobs, history: stores.history })
  expect(await ofBulk(services.jobs).work(bulk, false)).toEqual({ done: 1, skipped: {} })
  const movedOver = createJobReader(
    {
      ...records,
      async rounds(ns) {
        await steps.deliver(n)
        await services.historyCaughtUp()
        await expect.poll(() => records.jobs(ns)).toEqual([])
        return records.rounds(ns)
      },
    },
    stores.history,
  )
  expect(await ofBulk(movedOver).work(bulk, true)).toEqual({ done: 1, skipped: {} })
})

test('what fails or arrives after the preview is left for the next one', async () => {
  const old = await newJob()
  const ns = await failedJobs(3)
  const { token, count } = await preview({ ns: [old, ...ns, (ns[2] ?? 0) + 1] })
  expect(count).toBe(3)
  await steps.fail(old)
  const [later = 0] = await failedJobs(1)
  const { id } = await services.bulks.service.commit(token, ops, fast)
  world.startRunner()
  expect(await world.over(id)).toMatchObject({ done: 3, skipped: {} })
  expect(await roundsOf([old, later])).toEqual(['FAILED 0', 'FAILED 0'])
})

test('a preview counts no job that history knows of further on than it is written, and a bulk would leave', async () => {
  const store = await startTestStores()
  onTestFinished(() => store.close())
  const { history } = store
  const failedAt = (n: number, journalId: string) => snapshot(sampleJob(n, { status: 'FAILED', journalId }))
  // Jobs are written as they are by the time that they are read, which may be after what was read of the journal.
  await history.record([failedAt(1, '1000-0'), failedAt(2, '1002-0')], { epoch: 'one', journalId: '1000-0' })
  const service = serviceOver(history, Date.now)
  expect(await service.preview({}, ops)).toMatchObject({ count: 1, sample: [{ n: 1 }] })
  await history.record([], { epoch: 'one', journalId: '1002-0' })
  expect(await service.preview({}, ops)).toMatchObject({ count: 2, sample: [{ n: 1 }, { n: 2 }] })
})

test('a job that fails again at once is not queued a second time by the same bulk', async () => {
  const ns = await failedJobs(20)
  const failing: Reprocess = {
    ...services.reprocess,
    async reprocess(request) {
      const outcome = await services.reprocess.reprocess(request)
      // A batch that was broken off is asked for again.
      if (outcome.kind === 'requeued') await steps.fail(request.n)
      await services.historyCaughtUp()
      return outcome
    },
  }
  const { id } = await commit({ ns }, { ratePerSecond: 30 })
  world.startRunner({ reprocess: failing })
  expect(await world.over(id)).toMatchObject({ done: 20, skipped: {} })
  expect(await roundsOf(ns)).toEqual(all('FAILED 1', ns))
})

test('delivered jobs are replayed when they are named, out of history, and only then', async () => {
  const ns = [await newJob(), await newJob()]
  for (const n of ns) await steps.deliver(n)
  await services.historyCaughtUp()
  await expect.poll(() => services.records.jobs(ns)).toEqual([])
  expect((await preview({ ns })).count).toBe(0)
  const { id } = await commit({ ns, statuses: ['DELIVERED'] })
  world.startRunner()
  expect(await world.over(id)).toMatchObject({ done: 2 })
  expect(await roundsOf(ns)).toEqual(['QUEUED 1', 'QUEUED 1'])
  await expect(preview({ ns, statuses: ['FAILED', 'QUEUED'] })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})

test('a token is good for its caller, for its time, and for one bulk', async () => {
  const ns = await failedJobs(1)
  const { token } = await preview({ ns })
  const { service } = services.bulks
  const plan = { by: ops, filter: { ns }, asOf: '0-0', upTo: 1, total: 1, expiresAt: Date.now() + 600_000 }
  for (const wrong of [
    '',
    'gpv_',
    `${token}x`,
    token.replace('gpv_', ''),
    `gpv_${services.cipher.encrypt('{}')}`,
    // Sealed for something else.
    `gpv_${services.cipher.encrypt(JSON.stringify(plan))}`,
  ])
    await expect(service.commit(wrong, ops, fast)).rejects.toMatchObject({ code: 'INVALID_PREVIEW' })
  for (const other of [
    { kind: 'admin', name: 'else' },
    { kind: 'tenant', name: 'ops' },
  ] as const)
    await expect(service.commit(token, other, fast)).rejects.toMatchObject({ code: 'INVALID_PREVIEW' })
  const later = Date.now() + 600_001
  const inTenMinutes = serviceOver(services.stores.history, () => later)
  await expect(inTenMinutes.commit(token, ops, fast)).rejects.toMatchObject({ code: 'PREVIEW_EXPIRED' })
  const first = await service.commit(token, ops, fast)
  const again = await service.commit(token, ops, { ratePerSecond: 3 })
  expect(again).toEqual(first)
  world.startRunner()
  await world.over(first.id)
  expect((await service.commit(token, ops, fast)).status).toBe('COMPLETED')
  expect(await roundsOf(ns)).toEqual(['QUEUED 1'])
})

test('jobs are queued no faster than the rate', async () => {
  const ns = await failedJobs(21)
  const { id } = await commit({ ns }, { ratePerSecond: 20 })
  world.startRunner()
  const startedAt = performance.now()
  await world.over(id)
  expect(performance.now() - startedAt).toBeGreaterThan(900)
})

test('a bulk that is cancelled touches no more than the batch in hand', async () => {
  const ns = await failedJobs(12)
  const { id } = await commit({ ns }, { ratePerSecond: 2 })
  world.startRunner()
  await until(async () => ((await world.store.read(id))?.done ?? 0) > 0, { what: 'the first is done' })
  expect((await services.bulks.service.cancel(id)).status).toBe('CANCELLED')
  const ended = await world.over(id)
  expect(ended.status).toBe('CANCELLED')
  expect(ended.done).toBeLessThan(12)
  const rounds = await roundsOf(ns)
  expect(rounds.filter((one) => one === 'QUEUED 1')).toHaveLength(ended.done)
  await expect(services.bulks.service.cancel('bulk_none')).rejects.toMatchObject({ code: 'BULK_NOT_FOUND' })
})

test('what a runner leaves behind in the middle of a batch is finished by another, each job once', async () => {
  const ns = await failedJobs(30)
  const { id } = await commit({ ns })
  let calls = 0
  const { promise: stuck } = Promise.withResolvers<never>()
  const dying: Reprocess = {
    ...services.reprocess,
    async reprocess(request) {
      calls += 1
      return calls > 7 ? stuck : services.reprocess.reprocess(request)
    },
  }
  const leaseMs = 200
  world.startRunner({ reprocess: dying, lease: createLease(services.redis, `bulk:${id}`, 'dying', leaseMs) })
  await until(async () => (await roundsOf(ns)).filter((one) => one === 'QUEUED 1').length === 7, {
    what: 'it is stuck',
  })
  expect((await world.store.read(id))?.done).toBe(0)
  const other = bulkWorld(services)
  other.startRunner({ lease: createLease(services.redis, `bulk:${id}`, 'other', leaseMs) })
  expect(await other.over(id)).toMatchObject({ status: 'COMPLETED', done: 30, skipped: {} })
  expect(await roundsOf(ns)).toEqual(all('QUEUED 1', ns))
  await other.stop()
  // The first one waits for ever.
  world = bulkWorld(services)
})

test('two runners that both take it for theirs do nothing twice, and count each job once', async () => {
  const ns = await failedJobs(100)
  const { id } = await commit({ ns })
  world.startRunner()
  world.startRunner()
  expect(await world.over(id)).toMatchObject({ done: 100, skipped: {} })
  expect(await roundsOf(ns)).toEqual(all('QUEUED 1', ns))
})

test('nothing is taken up before history has come as far as the preview saw it', async () => {
  const ns = await failedJobs(2)
  const bulk = await commit({ ns })
  const { reprocess, jobs, stores } = services
  const batch = ns.map((n) => ({ n, round: 0 }))
  const nextAt = (journalId: string) => {
    const position = async () => ({ epoch: 'any', journalId })
    return createBulkWork({ reprocess, jobs, history: { list: stores.history.list, position } }).next(bulk)
  }
  expect(await nextAt('1-0')).toBeNull()
  expect(await nextAt(bulk.asOf)).toEqual({ batch, cursor: ns[1] })
})

test('of two who read a bulk at the same step only the first moves it, or ends it', async () => {
  const { id } = await commit({ ns: await failedJobs(1) })
  const { store } = world
  const readBulk = async () => (await store.read(id)) as Bulk
  const read = await readBulk()
  const batch = [{ n: 1, round: 0 }]
  expect(await store.advance(read, { ...read, batch, cursor: 7 })).toBe(true)
  expect(await store.advance(read, { ...read, batch: [], cursor: 9, done: 5 })).toBe(false)
  expect(await store.end(read, { CHANGED: 3 })).toBe(false)
  expect(await readBulk()).toEqual({ ...read, batch, cursor: 7, step: read.step + 1 })
  expect(await store.running()).toContain(id)
  expect(await store.end(await readBulk(), {})).toBe(true)
  expect(await store.running()).not.toContain(id)
  // Cancelled or not, what is over stays as it ended.
  await store.cancel(id)
  expect((await readBulk()).status).toBe('COMPLETED')
})

test('a batch of which a part failed is done again, and what was done of it before counts as done', async () => {
  const ns = await failedJobs(6)
  let calls = 0
  const failing: Reprocess = {
    ...services.reprocess,
    async reprocess(request) {
      const outcome = await services.reprocess.reprocess(request)
      calls += 1
      // Its answer is lost on the way.
      if (calls === 4) throw new Error('Connection is closed.')
      return outcome
    },
  }
  const { id } = await commit({ ns })
  world.startRunner({ reprocess: failing })
  expect(await world.over(id)).toMatchObject({ status: 'COMPLETED', done: 6, skipped: {} })
  expect(await roundsOf(ns)).toEqual(all('QUEUED 1', ns))
})

test('while Redis has no room, it waits', async () => {
  const ns = await failedJobs(1)
  const { id } = await commit({ ns })
  let asked = 0
  let room = false
  world.startRunner({
    async hasRoom() {
      asked += 1
      return room
    },
  })
  await until(() => asked > 0, { what: 'a look for room' })
  expect(await roundsOf(ns)).toEqual(all('FAILED 0', ns))
  room = true
  expect(await world.over(id)).toMatchObject({ done: 1 })
})
