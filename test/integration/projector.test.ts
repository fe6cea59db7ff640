import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Failure } from '../../src/events/job.ts'
import { createDataSet, type DataSet } from '../../src/history/data-set.ts'
import { dropAttempts } from '../../src/history/drop-attempts.ts'
import { forgetJobs, forgetOver } from '../../src/history/forget-jobs.ts'
import type {
  CountedStats,
  HistoryStore,
  JobSnapshot,
  ProjectorPosition,
} from '../../src/history/history-store.ts'
import { createProjector } from '../../src/history/projector.ts'
import { openConnections } from '../../src/redis/connections.ts'
import { keys } from '../../src/redis/keys.ts'
import { createLease } from '../../src/redis/lease.ts'
import type { Repeating } from '../../src/redis/repeat.ts'
import { openSqliteStores, type Stores } from '../../src/storage/open-stores.ts'
import { until } from '../support/client.ts'
import { type Core, openCore } from '../support/core.ts'
import { jobSteps } from '../support/job-steps.ts'
import { startTestRedis } from '../support/redis.ts'

const redis = await startTestRedis()
const busyTimeoutMs = 50
/** Whoever holds it renews it in time on a busy machine too. */
const leaseMs = 6_000

let core: Core
let stores: Stores
let dataSet: DataSet
let folder: string
let file: string
let lines: string[]
let running: Repeating[]
let steps: ReturnType<typeof jobSteps>

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gancho-history-'))
  file = join(folder, 'history.db')
  lines = []
  running = []
  const log = pino({ level: 'info' }, { write: (line) => lines.push(line) })
  stores = await openSqliteStores({ path: file, busyTimeoutMs })
  await redis.restart({ keepData: false })
  const dataSetOf = async (connection: Redis) => {
    dataSet = await createDataSet(connection, stores.history)
    return dataSet
  }
  core = await openCore(redis.url, { log, dataSetOf })
  steps = jobSteps(core)
})
afterEach(async () => {
  const stopped = running.map((one) => one.stop())
  await core.close() // Ends the read that a projector waits in.
  await Promise.all(stopped)
  await stores.close()
  await rm(folder, { recursive: true, force: true })
})
afterAll(() => redis.stop())

/** The real store, which remembers the numbers that it was asked to write. */
function watched(history: HistoryStore) {
  const written: number[][] = []
  return {
    written,
    position: () => history.position(),
    failUnfinished: (failure: Failure, limit: number) => history.failUnfinished(failure, limit),
    jobs: (ns: readonly number[]) => history.jobs(ns),
    record(snapshots: readonly JobSnapshot[], position: ProjectorPosition, counted?: CountedStats) {
      written.push(snapshots.map(({ job }) => job.n))
      return history.record(snapshots, position, counted)
    },
  }
}

function startProjector(connections = core.connections, owner = 'one') {
  const history = watched(stores.history)
  const { patient } = connections
  const projector = createProjector({
    ...{ redis: patient, records: core.records, history, epoch: dataSet.current, log: core.log },
    reader: connections.dedicated('journal'),
    forget: forgetOver(patient),
    dropAttempts: dropAttempts(patient),
    lease: createLease(patient, 'projector', owner, leaseMs),
  })
  projector.start()
  running.push(projector)
  return { history, stop: projector.stop }
}

const lastEntry = async () =>
  (await core.redis.xrevrange(keys.journal, '+', '-', 'COUNT', 1))[0]?.[0] ?? '0-0'
/** Waits until all that has happened by now is in history. */
const caughtUp = async () => {
  const last = await lastEntry()
  await until(async () => (await core.redis.get(keys.projected)) === last, { what: 'history has caught up' })
}
const inHistory = async (n: number) => (await stores.history.jobs([n]))[0]
const isForgotten = (n: number) =>
  until(async () => (await core.redis.exists(keys.job(n), keys.attempts(n))) === 0, {
    what: `record ${n} is gone`,
  })

describe('the projector', () => {
  test('writes every job as its record is, with its body and its attempts', async () => {
    const bodies = [Buffer.from('{"a":1}'), Buffer.from([0, 255, 1, 254]), Buffer.alloc(0)]
    const ns: number[] = []
    const eventType = 'pedido.não "entregue" \\ / \u0000\u007f\u2028'
    for (const body of bodies) ns.push(await core.accept({ body, eventType }))
    const [retrying = 0, failed = 0, queued = 0] = ns
    await steps.retryLater(retrying, 60_000)
    await steps.fail(failed)
    await steps.enqueue(queued)
    const inRedis = new Map([[retrying, await core.attempts(retrying)]])
    expect(inRedis.get(retrying)).toHaveLength(1)
    startProjector()
    await caughtUp()
    for (const n of ns) expect(await inHistory(n)).toEqual(await core.job(n))
    expect([...(await stores.history.bodies(ns)).values()]).toEqual(bodies)
    const attempts = await stores.history.attempts(ns)
    expect(attempts.get(retrying)).toEqual(inRedis.get(retrying))
    expect(attempts.get(failed)).toHaveLength(1)
    expect(attempts.has(queued)).toBe(false)
  })

  test('has no more of large bodies in memory than it asks for, and goes on with the rest', async () => {
    const body = Buffer.alloc(100_000)
    const ns = [await core.accept({ body }), await core.accept({ body }), await core.accept({ body })]
    const { snapshots, rest } = await core.records.snapshots([99, ...ns], new Set(ns), 150_000)
    expect(snapshots.map(({ job, body }) => [job.n, body?.length])).toEqual([
      [ns[0], 100_000],
      [ns[1], 100_000],
    ])
    expect(rest).toEqual([ns[2]])
  })

  test('keeps Redis from others for few jobs at a time, or few bytes, when it reads records and when it deletes them', async () => {
    const scriptCalls = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await core.redis.info('commandstats'))?.[1])
    const small = await Promise.all(Array.from({ length: 299 }, () => core.accept()))
    const large = await core.accept({ body: Buffer.alloc(1_200_000) })
    await core.records.snapshots([large], new Set())
    const before = await scriptCalls()
    const all = [large, ...small]
    const { snapshots } = await core.records.snapshots(all, new Set(all))
    expect(snapshots.map(({ job }) => job.n)).toEqual(all)
    expect((await scriptCalls()) - before).toBe(4)
    const forget = forgetJobs(core.redis, ['RECEIVED'])
    const [{ job: first }, ...others] = snapshots as [JobSnapshot, ...JobSnapshot[]]
    expect(await forget([first])).toBe(1)
    const beforeForgotten = await scriptCalls()
    expect(await forget(others.map(({ job }) => job))).toBe(299)
    expect((await scriptCalls()) - beforeForgotten).toBe(3)
  })

  test('writes more jobs than it writes at a time, and counts each of them once', async () => {
    const many = await Promise.all(Array.from({ length: 1_200 }, () => core.accept()))
    const { history } = startProjector()
    await caughtUp()
    expect(history.written.length).toBeGreaterThan(2)
    expect(history.written.flat().toSorted((a, b) => a - b)).toEqual(many.toSorted((a, b) => a - b))
    const query = { spanMs: 3_600_000, from: 0, to: Date.now() + 3_600_000, sizeMs: 1e15, filter: {} }
    expect((await stores.stats.counts(query)).get(0)?.received).toBe(1_200)
  })

  test('leaves in Redis no attempts that history has, and drops none that is newer', async () => {
    const n = await core.accept()
    await steps.retryLater(n, 0)
    const { snapshots } = await core.records.snapshots([n], new Set())
    await steps.retryLater(n, 60_000)
    const drop = dropAttempts(core.redis)
    for (let repeat = 0; repeat < 2; repeat += 1) {
      await drop(snapshots)
      expect((await core.attempts(n)).map(({ number }) => number)).toEqual([2])
    }
    startProjector()
    await caughtUp()
    await until(async () => (await core.attempts(n)).length === 0, { what: 'history has them all' })
    expect((await stores.history.attempts([n])).get(n)?.map(({ number }) => number)).toEqual([2])
  })

  test('deletes the records of jobs that are over, and keeps the others', async () => {
    const [delivered, discarded, failed, waiting] = [
      await core.accept(),
      await core.accept(),
      await core.accept(),
      await core.accept(),
    ]
    startProjector()
    await steps.deliver(delivered)
    await core.transitions.discard(discarded)
    await steps.fail(failed)
    await caughtUp()
    await Promise.all([isForgotten(delivered), isForgotten(discarded)])
    expect((await inHistory(delivered))?.status).toBe('DELIVERED')
    expect((await inHistory(discarded))?.status).toBe('DISCARDED')
    expect((await stores.history.attempts([delivered])).get(delivered)).toHaveLength(1)
    expect((await core.job(failed))?.status).toBe('FAILED')
    expect((await core.job(waiting))?.status).toBe('RECEIVED')
  })

  test('goes on where it stopped', async () => {
    const before = await core.accept()
    const first = startProjector()
    await caughtUp()
    expect(first.history.written.flat()).toContain(before)
    await first.stop()
    const meanwhile = await core.accept()
    const second = startProjector()
    await caughtUp()
    expect(second.history.written.flat()).toEqual([meanwhile])
  })

  test('is one of two, and the other takes over when it dies', async () => {
    const its = await openConnections({ url: redis.url, log: core.log })
    const first = startProjector(its, 'first')
    await caughtUp()
    const second = startProjector(core.connections, 'second')
    await core.accept()
    await caughtUp()
    expect(second.history.written).toEqual([])

    await its.close()
    const after = await core.accept()
    await caughtUp()
    expect(first.history.written.flat()).not.toContain(after)
    expect(second.history.written.flat()).toEqual([after])
    expect((await inHistory(after))?.status).toBe('RECEIVED')
  })

  test('goes on from where history stands, also when that is not where it left it', async () => {
    const { history } = startProjector()
    await core.accept()
    await caughtUp()
    const restored = new DatabaseSync(file, { timeout: 60_000 })
    const [earlier] = restored.prepare('SELECT journal FROM history_meta').all()
    const again = await core.accept()
    await caughtUp()
    // As when the database comes back from a backup.
    restored.prepare('UPDATE history_meta SET journal = ?').run(String(earlier?.journal))
    restored.close()
    await core.accept()
    const last = await lastEntry()
    const standsThere = async () => (await stores.history.position())?.journalId === last
    await until(standsThere, { what: 'history has come to the end again' })
    expect(history.written.flat().filter((n) => n === again).length).toBeGreaterThan(1)
  })

  test('lets another take over at once when it is stopped', async () => {
    const first = startProjector(core.connections, 'first')
    await caughtUp()
    await first.stop()
    expect(await core.redis.exists(keys.lease('projector'))).toBe(0)
  })
})

describe('while the database cannot be written', () => {
  test('events are accepted and delivered, records stay, and history catches up afterwards', async () => {
    const { history } = startProjector()
    await caughtUp()
    const blocker = new DatabaseSync(file, { timeout: 60_000 })
    blocker.exec('BEGIN IMMEDIATE')
    const projected = await core.redis.get(keys.projected)
    const [delivered, waiting] = [await core.accept({ body: Buffer.from('kept') }), await core.accept()]
    await steps.deliver(delivered)
    const tries = history.written.length
    await until(() => history.written.length > tries + 1, { what: 'history is tried again' })
    expect(lines.some((line) => line.includes('projector: failed'))).toBe(true)

    expect(await core.redis.get(keys.projected)).toBe(projected)
    expect(await inHistory(delivered)).toBeUndefined()
    expect((await core.job(delivered))?.status).toBe('DELIVERED')
    expect((await core.job(waiting))?.status).toBe('RECEIVED')

    blocker.exec('ROLLBACK')
    blocker.close()
    await caughtUp()
    expect((await inHistory(delivered))?.status).toBe('DELIVERED')
    expect((await stores.history.body(delivered))?.toString()).toBe('kept')
    await isForgotten(delivered)
    expect(lines.filter((line) => line.includes('projector: failed'))).toHaveLength(1)
    await until(() => lines.some((line) => line.includes('projector: working again')), {
      what: 'the log of it',
    })
  })

  test('the journal keeps what history needs, and the sweep deletes no record of it', async () => {
    const sweeper = core.newSweeper()
    startProjector()
    const before = await core.accept()
    await caughtUp()
    const blocker = new DatabaseSync(file, { timeout: 60_000 })
    blocker.exec('BEGIN IMMEDIATE')
    const n = await core.accept()
    await core.transitions.discard(n)
    await core.redis.zadd(keys.due, 0, n)
    await sweeper.sweep()
    expect((await core.job(n))?.status).toBe('DISCARDED')
    blocker.exec('ROLLBACK')
    blocker.close()
    await isForgotten(n)
    expect((await core.job(before))?.status).toBe('RECEIVED')
  })
})

test('a Redis that was replaced is projected from the beginning of its journal, beside what was before', async () => {
  const before = await core.accept({ body: Buffer.from('before') })
  startProjector()
  await caughtUp()
  const { epoch } = (await stores.history.position()) ?? {}
  await core.redis.flushall()
  await dataSet.current()
  const after = await core.accept({ body: Buffer.from('after') })
  const itsEpoch = async () => (await stores.history.position())?.epoch === (await core.redis.get(keys.epoch))
  await until(itsEpoch, { what: 'history follows the new data set' })
  await caughtUp()
  expect((await stores.history.position())?.epoch).not.toBe(epoch)
  expect(after).toBeGreaterThan(before)
  expect(await inHistory(before)).toMatchObject({ status: 'FAILED', failure: { reason: 'DATA_SET_LOST' } })
  expect(await inHistory(after)).toMatchObject({ status: 'RECEIVED' })
  expect((await stores.history.body(before))?.toString()).toBe('before')
  expect((await stores.history.body(after))?.toString()).toBe('after')
})
