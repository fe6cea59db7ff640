import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bullJobId } from '../../src/events/job.ts'
import { defaultQueue } from '../../src/events/routing.ts'
import { forgetJobs } from '../../src/history/forget-jobs.ts'
import { countEntries, statSpans } from '../../src/history/job-stats.ts'
import {
  createMaintenance,
  lastMaintenance,
  type MaintenanceRun,
  runMaintenance,
} from '../../src/history/maintenance.ts'
import { keys } from '../../src/redis/keys.ts'
import { sampleAttempt, sampleJob, snapshot } from '../contract/sample-jobs.ts'
import { until } from '../support/client.ts'
import { type Core, openCore } from '../support/core.ts'
import { jobSteps } from '../support/job-steps.ts'
import { startProjecting } from '../support/projecting.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'
import { unusedCnpj } from '../support/tenants.ts'

const retentionMs = 86_400_000
const [minuteMs, hourMs] = statSpans
const plenty = 1_000_000
const cnpj = '11222333000181'

type Jobs = Record<
  'received' | 'queued' | 'delivering' | 'retrying' | 'failed' | 'requeued' | 'delivered' | 'discarded',
  number
>

let server: TestRedis
let core: Core
let history: Awaited<ReturnType<typeof startProjecting>>
/** How many jobs each call for their removal asked for. */
const limits: number[] = []
let old: Jobs
let young: Jobs
/** What was before it is older than the retention time in every run of these tests. */
let boundary: number
const alien: number[] = []

const deps = () => ({
  ...{ redis: core.redis, lanes: core.lanes, errorQueue: core.errorQueue, records: core.records },
  forgetFailed: forgetJobs(core.redis, ['FAILED']),
  history: {
    removeFinished(before: number, limit: number) {
      limits.push(limit)
      return history.stores.history.removeFinished(before, limit)
    },
  },
  tenants: history.stores.tenants,
  stats: history.stores.stats,
  statsKept: [
    { spanMs: minuteMs, keepMs: hourMs },
    { spanMs: hourMs, keepMs: retentionMs },
  ],
  retentionMs,
  maxJournalEntries: plenty,
  now: () => boundary + retentionMs,
})

/** One job in every state. */
async function jobsInEveryState(): Promise<Jobs> {
  const steps = jobSteps(core)
  const accept = () => core.accept()
  const jobs = {
    received: await accept(),
    queued: await accept(),
    delivering: await accept(),
    retrying: await accept(),
    failed: await accept(),
    requeued: await accept(),
    delivered: await accept(),
    discarded: await accept(),
  }
  await steps.enqueue(jobs.queued)
  await steps.begin(jobs.delivering)
  await steps.retryLater(jobs.retrying, 3_600_000)
  await steps.fail(jobs.failed)
  await steps.fail(jobs.requeued)
  await core.transitions.requeue({ n: jobs.requeued, maxRounds: 5 })
  await steps.deliver(jobs.delivered)
  await core.transitions.discard(jobs.discarded)
  return jobs
}

async function caughtUp(): Promise<void> {
  const [last] = await core.redis.xrevrange(keys.journal, '+', '-', 'COUNT', 1)
  await until(async () => (await core.redis.get(keys.projected)) === last?.[0], {
    what: 'history has caught up',
  })
}

const statuses = async (ns: readonly number[]) =>
  Object.fromEntries((await history.stores.history.jobs(ns)).map(({ n, status }) => [n, status]))

/** Tokens that ended just before that moment, more than one batch, and some that did not. */
async function endTokens(before: number): Promise<void> {
  const { tenants } = history.stores
  await tenants.create(tenantRow(cnpj), tokenRow(cnpj, 'lasting'))
  for (let at = 0; at < 500; at++)
    await tenants.addToken(tokenRow(cnpj, `expired ${at}`, { expiresAt: before - 1 }))
  await tenants.addToken(tokenRow(cnpj, 'revoked', { revokedAt: before - 1 }))
  await tenants.addToken(tokenRow(cnpj, 'just ended', { expiresAt: before }))
}

beforeAll(async () => {
  server = await startTestRedis()
  core = await openCore(server.url)
  history = await startProjecting(core)
  old = await jobsInEveryState()
  // Rows of earlier times, more than one batch.
  const rows = Array.from({ length: 1_200 }, (_, i) =>
    snapshot(sampleJob(10_000 + i, { status: 'DELIVERED', updatedAt: 1_000 + i }), [sampleAttempt(1)]),
  )
  alien.push(...rows.map(({ job }) => job.n))
  await caughtUp()
  await history.stores.history.record(
    rows,
    (await history.stores.history.position()) ?? { epoch: '', journalId: '0-0' },
  )
  boundary = Date.now() + 1
  await endTokens(boundary)
  while (Date.now() <= boundary) await sleep(1)
  young = await jobsInEveryState()
  await caughtUp()
})
afterAll(async () => {
  await history.stop()
  await core.close()
  await server.stop()
})

describe('maintenance', () => {
  let run: MaintenanceRun

  test('tells what it removed, and when', async () => {
    const entriesBefore = await core.redis.xlen(keys.journal)
    run = await runMaintenance(deps())
    expect(run).toEqual({
      startedAt: boundary + retentionMs,
      finishedAt: boundary + retentionMs,
      removedJobs: 1_203,
      removedTokens: 501,
      removedErrorEntries: 1,
      trimmedJournalEntries: entriesBefore - (await core.redis.xlen(keys.journal)),
    })
    expect(run.trimmedJournalEntries).toBeGreaterThan(0)
    expect(await lastMaintenance(core.redis)).toEqual(run)
  })

  test('removes old jobs that are over from history, with bodies and attempts', async () => {
    const gone = [old.delivered, old.discarded, old.failed, ...alien]
    expect(await statuses(gone)).toEqual({})
    expect((await history.stores.history.bodies(gone)).size).toBe(0)
    expect((await history.stores.history.attempts(gone)).size).toBe(0)
  })

  test('removes tokens that ended long ago', async () => {
    const left = await history.stores.tenants.tokens([cnpj])
    expect(left.map(({ hash }) => hash).sort()).toEqual(['just ended', 'lasting'])
  })

  test('removes them in batches', () => {
    expect(limits).toEqual([500, 500, 500])
  })

  test('removes old failed jobs with their error entry and their record', async () => {
    expect(await core.redis.exists(keys.job(old.failed), keys.attempts(old.failed))).toBe(0)
    expect(await core.redis.zscore(keys.due, old.failed)).toBeNull()
    expect(await core.errorQueue.has(defaultQueue, old.failed, 0)).toBe(false)
  })

  test('leaves old jobs alone that are not over, wherever they are', async () => {
    const { received, queued, delivering, retrying, requeued } = old
    const expected = {
      [received]: 'RECEIVED',
      [queued]: 'QUEUED',
      [delivering]: 'DELIVERING',
      [retrying]: 'RETRYING',
      [requeued]: 'QUEUED',
    }
    expect(await statuses(Object.values(old))).toEqual(expected)
    const records = await core.records.jobs(Object.values(old))
    expect(Object.fromEntries(records.map(({ n, status }) => [n, status]))).toEqual(expected)
    expect((await core.redis.xrange(keys.inbox, `${received}-0`, `${received}-0`)).length).toBe(1)
    expect(await core.lanes.get(defaultQueue).queue.getJobState(bullJobId(queued, 0))).toBe('waiting')
  })

  test('leaves young jobs alone, over or not, and their journal', async () => {
    expect(await statuses(Object.values(young))).toMatchObject({
      [young.received]: 'RECEIVED',
      [young.failed]: 'FAILED',
      [young.delivered]: 'DELIVERED',
      [young.discarded]: 'DISCARDED',
    })
    expect(await core.errorQueue.has(defaultQueue, young.failed, 0)).toBe(true)
    expect((await core.job(young.failed))?.status).toBe('FAILED')
    expect((await core.journal(young.received)).map(({ status }) => status)).toEqual(['RECEIVED'])
    expect(await core.journal(old.received)).toEqual([])
  })

  test('finds nothing the second time', async () => {
    expect(await runMaintenance(deps())).toMatchObject({
      removedJobs: 0,
      removedTokens: 0,
      removedErrorEntries: 0,
      trimmedJournalEntries: 0,
    })
  })

  test('takes more error entries than one batch, the oldest ones', async () => {
    const steps = jobSteps(core)
    const ns = await Promise.all(Array.from({ length: 520 }, () => core.accept()))
    await Promise.all(ns.map((n) => steps.fail(n)))
    const end = Date.now() + 1
    while (Date.now() <= end) await sleep(1)
    const last = await core.accept()
    await steps.fail(last)
    await caughtUp()
    const { removedErrorEntries } = await runMaintenance({ ...deps(), now: () => end + retentionMs })
    expect(removedErrorEntries).toBe(521) // The young one of before is old by now.
    // Two entries are of rounds that are over: the sweeper's.
    expect((await core.errorQueue.page(defaultQueue, 0, 1_000)).map(({ n }) => n)).toEqual([
      old.requeued,
      young.requeued,
      last,
    ])
  })

  test('is run by its schedule, and tells it', async () => {
    const log = core.log
    const before = await lastMaintenance(core.redis)
    const maintenance = createMaintenance({
      ...deps(),
      connectionOf: () => core.redis,
      log,
      now: Date.now,
      cron: '* * * * * *',
    })
    await maintenance.schedule()
    maintenance.start()
    const next = await until(async () => {
      const found = await lastMaintenance(core.redis)
      return found?.startedAt !== before?.startedAt && found
    })
    expect(Math.abs(next.startedAt - Date.now())).toBeLessThan(20_000)
    await maintenance.close()
  })
})

test('statistics are removed when they are too old, those by the minute before those by the hour', async () => {
  const { stats, history: jobs } = history.stores
  const now = Date.now()
  const ages = [0, hourMs / 2, 5 * hourMs, 2 * retentionMs]
  const entries = ages.map((age, i) => ({
    ...{ id: '1-0', n: i, status: 'RECEIVED', previous: null, round: 0, attempts: 0 },
    ...{
      eventId: 'e',
      cnpj: unusedCnpj,
      destination: 'default',
      queue: 'nifi',
      eventType: null,
      at: now - age,
    },
  }))
  const from = (await jobs.position()) ?? { epoch: '', journalId: '0-0' }
  expect(await jobs.record([], from, { from, stats: countEntries(entries, new Map()) })).toBe(true)
  await runMaintenance({ ...deps(), now: () => now })
  const counted = async (spanMs: number) => {
    const range = { spanMs, sizeMs: spanMs, from: 0, to: now + hourMs, filter: { cnpj: unusedCnpj } }
    return [...(await stats.counts(range)).values()].reduce((sum, { received }) => sum + received, 0)
  }
  expect([await counted(minuteMs), await counted(hourMs)]).toEqual([2, 3])
})
