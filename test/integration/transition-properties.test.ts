import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Job } from '../../src/events/job.ts'
import { concurrency, type JobWorld, mostJobs, openJobWorld } from '../support/job-world.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let redis: TestRedis
beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.stop())

const outcome = fc.constantFrom('DELIVERED', 'RETRYING', 'FAILED')
const worker = fc.integer({ min: 0, max: 2 })
const number = fc.integer({ min: 1, max: mostJobs })

type Step = { name: string; run: (world: JobWorld) => Promise<unknown> }
type Plain =
  | ('dispatch' | 'crashDispatcher' | 'passTime' | 'sweep' | 'project' | 'loseEntry')
  | ('crashBeforeSchedule' | 'spoilFlows')
const plain = (name: Plain) => fc.constant<Step>({ name, run: (world) => world[name]() })
const onJob = (name: 'report' | 'again' | 'discard' | 'crashedRequeue') =>
  number.map((n): Step => ({ name: `${name} ${n}`, run: (world) => world[name](n) }))

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(0, 1), fc.constantFrom('a', 'b', null)).map(
      ([tenant, key]): Step => ({
        name: `accept ${tenant} ${key}`,
        run: (world) => world.accept(tenant, key),
      }),
    ),
  },
  { weight: 6, arbitrary: plain('dispatch') },
  { weight: 1, arbitrary: plain('crashDispatcher') },
  {
    weight: 20,
    arbitrary: fc
      .tuple(worker, outcome)
      .map(([w, as]): Step => ({ name: `work ${w} ${as}`, run: (world) => world.work(w, as) })),
  },
  {
    weight: 6,
    arbitrary: outcome.map(
      (as): Step => ({ name: `together ${as}`, run: (world) => world.workTogether(as) }),
    ),
  },
  {
    weight: 2,
    arbitrary: worker.map((w): Step => ({ name: `crash ${w}`, run: (world) => world.crashWorker(w) })),
  },
  {
    weight: 2,
    arbitrary: worker.map((w): Step => ({ name: `redeliver ${w}`, run: (world) => world.redeliver(w) })),
  },
  { weight: 1, arbitrary: plain('loseEntry') },
  { weight: 1, arbitrary: plain('crashBeforeSchedule') },
  { weight: 1, arbitrary: plain('spoilFlows') },
  { weight: 1, arbitrary: onJob('crashedRequeue') },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(1, concurrency)
      .map((some): Step => ({ name: `allow ${some}`, run: (world) => world.allow(some) })),
  },
  { weight: 2, arbitrary: plain('passTime') },
  { weight: 2, arbitrary: plain('sweep') },
  { weight: 2, arbitrary: plain('project') },
  { weight: 2, arbitrary: onJob('report') },
  { weight: 2, arbitrary: onJob('again') },
  { weight: 1, arbitrary: onJob('discard') },
)

type Found = { job: Job; at: Awaited<ReturnType<JobWorld['places']>> }

/** What holds after every step, whatever happened before. */
async function checkAlways(world: JobWorld) {
  const jobs = await world.records.jobs(await world.numbers())
  const found = await Promise.all(jobs.map(async (job) => ({ job, at: await world.places(job) })))
  for (const { job, at } of found) {
    const isFound = at.inbox || at.bull || at.inHands || at.watched || at.error
    expect(isFound, `job ${job.n} is ${job.status} and in no place`).toBe(true)
    if (job.status === 'RECEIVED')
      expect(at.inbox, `job ${job.n} is RECEIVED and not in the inbox`).toBe(true)
    if (job.status === 'FAILED') expect(at.error || at.watched).toBe(true)
  }
  const inFlight = inFlightOf(world)
  expect(new Set(inFlight).size, 'two workers deliver the same job').toBe(inFlight.length)
  checkSent(world)
  await checkFlow(world, found)
  checkOrder(world, jobs)
}

const inFlightOf = ({ workers }: JobWorld) =>
  workers.flatMap((hands) => (hands?.attempt && !hands.recorded ? [hands.bull.data.n] : []))

/** As many are out as may be, and what is kept back is where its turn comes. */
async function checkFlow(world: JobWorld, found: readonly Found[]) {
  const { out, active, kept } = await world.flow()
  expect(out.filter((n) => n <= mostJobs).length, 'jobs are out').toBeLessThanOrEqual(concurrency)
  expect(active, 'counted as under way').toBeLessThanOrEqual(concurrency)
  expect(inFlightOf(world).length, 'under way').toBeLessThanOrEqual(concurrency)
  for (const { job, at } of found) {
    const { n, status } = job
    expect(at.inBacklog, `job ${n} is ${status}, kept: ${at.kept}`).toBe(at.kept === 'flow')
    if (at.kept) expect(out, `job ${n} is out and kept back`).not.toContain(n)
    if (at.kept === 'order') expect(at.line[0], `job ${n} waits for itself`).not.toBe(String(n))
    const isUnfinished = world.lineOf.get(n) && !finished.has(status)
    if (isUnfinished) expect(at.line, `job ${n} is in its line`).toContain(String(n))
  }
  expect(kept, 'counted as kept back').toBe(found.filter(({ at }) => at.kept).length)
}

const finished: ReadonlySet<string> = new Set(['DELIVERED', 'FAILED', 'DISCARDED'])

/** One of a line at a time, and none before those that were accepted earlier; what was queued again stands behind. */
function checkOrder(world: JobWorld, jobs: readonly Job[]) {
  const inFlight = inFlightOf(world)
  for (const n of inFlight) {
    const line = world.lineOf.get(n)
    const others = jobs.filter((job) => line && job.n !== n && world.lineOf.get(job.n) === line)
    for (const other of others) {
      expect(inFlight, `jobs ${n} and ${other.n} of one line are under way`).not.toContain(other.n)
      const isEarlier = other.n < n && other.round === 0
      if (isEarlier) expect(finished, `job ${n} overtakes ${other.n}`).toContain(other.status)
    }
  }
}

/** An answer that was recorded ends its round; only a crash lets a round be sent again after it was taken. */
function checkSent({ sent }: JobWorld) {
  const keys = sent.map((one) => `${one.n}.${one.round}.${one.attempt}`)
  expect(new Set(keys).size, 'an attempt was sent twice').toBe(keys.length)
  sent.forEach((one, i) => {
    const later = sent.slice(i + 1).some((other) => other.n === one.n && other.round === one.round)
    if (later && !one.lost) expect(one.outcome, `job ${one.n} round ${one.round} sent again`).toBe('RETRYING')
  })
}

/** Lets everything come to rest. */
async function settle(world: JobWorld) {
  for (let turn = 0; turn < 60; turn += 1) {
    for (const w of [0, 1, 2]) for (let i = 0; i < 6; i += 1) await world.work(w, 'DELIVERED')
    for (let i = 0; i < 3; i += 1) await world.dispatch()
    await world.passTime()
    await world.sweep()
    await world.project()
    const { inbox, bull } = await world.counts()
    const jobs = await world.records.jobs(await world.numbers())
    const isOver = jobs.every(({ status }) => finished.has(status))
    if (inbox === 0 && bull === 0 && isOver && world.isIdle()) return
  }
  throw new Error(`does not come to rest: ${JSON.stringify(await world.counts())}`)
}

async function checkAtRest(world: JobWorld) {
  const numbers = await world.numbers()
  const live = new Map((await world.records.jobs(numbers)).map((job) => [job.n, job]))
  for (const n of numbers) {
    const job = live.get(n) ?? world.history.get(n)?.job
    expect(['DELIVERED', 'FAILED', 'DISCARDED'], `job ${n} is ${job?.status}`).toContain(job?.status)
    if (job?.status === 'FAILED') expect((await world.places(job)).error).toBe(true)
    else expect(live.has(n), `the record of job ${n} was not deleted`).toBe(false)
  }
  const failed = [...live.values()].filter((job) => job.status === 'FAILED')
  const { keys, kept, out } = await world.flow()
  expect(kept, 'kept back at rest').toBe(0)
  expect(out.filter((n) => n <= mostJobs)).toEqual([])
  expect(
    keys.filter((key) => !key.includes(':out:')),
    'memory of what is over',
  ).toEqual([])
  expect((await world.counts()).errors, 'entries in the error queue').toBe(failed.length)
}

const runs = Number(process.env.PROPERTY_RUNS ?? 20)

test('whatever is interleaved and whoever crashes, records fit the places jobs are in, and nothing is lost or sent twice', async () => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 60, maxLength: 200, size: 'max' }),
    async (steps) => {
      const world = await openJobWorld(redis.url)
      try {
        for (const one of steps) {
          await one.run(world)
          await checkAlways(world)
        }
        await settle(world)
        await checkAtRest(world)
      } finally {
        await world.close()
      }
    },
  )
  await fc.assert(property, { numRuns: runs, endOnFailure: true })
}, 600_000)
