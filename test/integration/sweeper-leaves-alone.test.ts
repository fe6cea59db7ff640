import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { bullJobId } from '../../src/events/job.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { type Core, openCore } from '../support/core.ts'
import { startDelivery } from '../support/delivery.ts'
import { failed } from '../support/failures.ts'
import { jobStages } from '../support/job-stages.ts'
import { letAllOut } from '../support/let-all-out.ts'
import { startReceiver } from '../support/receiver.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

/** Longer than sweeps of 10,000 jobs take on a busy machine. */
const graceMs = 300_000

let server: TestRedis
let eager: Core
let patient: Core
beforeAll(async () => {
  server = await startTestRedis()
  eager = await openCore(server.url, { graceMs: 0 })
  patient = await openCore(server.url, { graceMs })
})
beforeEach(async () => {
  await eager.redis.flushall()
  await letAllOut(eager.transitions)
})
afterAll(async () => {
  await Promise.all([eager.close(), patient.close()])
  await server.stop()
})

const { queued, finished } = jobStages(() => eager)
const lane = () => eager.lanes.get('nifi')
const everything = async (ns: readonly number[]) => ({
  records: await eager.records.jobs(ns),
  bull: await Promise.all(ns.map((n) => lane().queue.getJobState(bullJobId(n, 0)))),
  added: (await lane().queue.getJobs(['wait', 'active', 'delayed'])).map(({ id, processedOn, delay }) => [
    id,
    processedOn,
    delay,
  ]),
  errors: await eager.errorQueue.page('nifi', 0, 10),
  journal: await eager.redis.xlen(keys.journal),
  inbox: await eager.redis.xlen(keys.inbox),
})

test('jobs that are where their records say stay as they are, however often it looks', async () => {
  const receiver = await startReceiver(() => undefined) // Never answers, so its job stays in the hands of a worker.
  const delivering = await queued()
  await eager.lanes.add([{ n: delivering, round: 0, queue: 'nifi' }])
  const delivery = startDelivery(eager, { url: receiver.url, concurrency: 1, timeoutMs: 20_000 })
  await until(() => receiver.received.length === 1)
  const [received, waiting] = [await eager.accept(), await queued()]
  const retrying = await finished({ status: 'RETRYING', delayMs: 60_000 })
  const failing = await finished({ status: 'FAILED', failure: failed })
  await eager.lanes.add([
    { n: waiting, round: 0, queue: 'nifi' },
    { n: retrying, round: 0, queue: 'nifi', delayMs: 60_000 },
  ])
  for (const one of await eager.records.jobs([failing])) await eager.errorQueue.add(one, failed)
  const ns = [delivering, received, waiting, retrying, failing]
  const before = await everything(ns)
  expect(before.bull).toEqual(['active', 'unknown', 'waiting', 'delayed', 'unknown'])

  const sweeper = eager.newSweeper()
  for (let turn = 0; turn < 3; turn += 1) {
    for (const n of ns) await eager.redis.call('ZADD', keys.due, 'XX', '0', String(n))
    await sweeper.sweep()
    expect(await everything(ns)).toEqual(before)
  }
  await receiver.close()
  await delivery.stop()
})

test('a change is given its time before the sweeper looks at it', async () => {
  const n = await patient.accept()
  await patient.transitions.enqueue([n])
  await patient.newSweeper().sweep()
  expect(await lane().queue.getJobState(bullJobId(n, 0))).toBe('unknown')
  const due = Number(await eager.redis.zscore(keys.due, n))
  expect(due - Number((await eager.job(n))?.updatedAt)).toBe(graceMs)
})

test('10,000 waiting jobs that are due are looked at once, and not again by the next sweep', async () => {
  const ns = await Promise.all(Array.from({ length: 10_000 }, () => eager.accept()))
  for (let i = 0; i < ns.length; i += 500) {
    const batch = ns.slice(i, i + 500)
    await patient.transitions.enqueue(batch)
    await eager.lanes.add(batch.map((n) => ({ n, round: 0, queue: 'nifi' })))
  }
  const dueNow = ns.flatMap((n) => ['0', String(n)])
  await eager.redis.call('ZADD', keys.due, 'XX', ...dueNow)
  const calls = async () =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await eager.redis.info('commandstats'))?.[1])
  const sweeper = patient.newSweeper()
  const before = await calls()
  await sweeper.sweep()
  const afterFirst = await calls()
  expect(afterFirst - before).toBeGreaterThanOrEqual(ns.length)
  await sweeper.sweep()
  expect((await calls()) - afterFirst).toBeLessThan(10)
  expect(await lane().queue.getWaitingCount()).toBe(10_000)
})
