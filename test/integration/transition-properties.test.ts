import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type JobWorld, openJobWorld } from '../support/job-world.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let redis: TestRedis
beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.stop())

const outcome = fc.constantFrom('DELIVERED', 'RETRYING', 'FAILED')
const worker = fc.integer({ min: 0, max: 2 })
const number = fc.integer({ min: 1, max: 2 })

type Step = { name: string; run: (world: JobWorld) => Promise<unknown> }
const plain = (
  name: 'accept' | 'dispatch' | 'crashDispatcher' | 'passTime' | 'sweep' | 'project' | 'loseEntry',
) => fc.constant<Step>({ name, run: (world) => world[name]() })
const onJob = (name: 'report' | 'again' | 'discard' | 'crashedRequeue') =>
  number.map((n): Step => ({ name: `${name} ${n}`, run: (world) => world[name](n) }))

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: plain('accept') },
  { weight: 6, arbitrary: plain('dispatch') },
  { weight: 1, arbitrary: plain('crashDispatcher') },
  {
    weight: 20,
    arbitrary: fc
      .tuple(worker, outcome)
      .map(([w, as]): Step => ({ name: `work ${w} ${as}`, run: (world) => world.work(w, as) })),
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
  { weight: 1, arbitrary: onJob('crashedRequeue') },
  { weight: 2, arbitrary: plain('passTime') },
  { weight: 2, arbitrary: plain('sweep') },
  { weight: 2, arbitrary: plain('project') },
  { weight: 2, arbitrary: onJob('report') },
  { weight: 2, arbitrary: onJob('again') },
  { weight: 1, arbitrary: onJob('discard') },
)

/** What holds after every step, whatever happened before. */
async function checkAlways(world: JobWorld) {
  for (const job of await world.records.jobs(await world.numbers())) {
    const at = await world.places(job.n, job.round)
    const isFound = at.inbox || at.bull || at.inHands || at.watched || at.error
    expect(isFound, `job ${job.n} is ${job.status} and in no place`).toBe(true)
    if (job.status === 'RECEIVED')
      expect(at.inbox, `job ${job.n} is RECEIVED and not in the inbox`).toBe(true)
    if (job.status === 'FAILED') expect(at.error || at.watched).toBe(true)
  }
  const inFlight = world.workers.flatMap((hands) =>
    hands?.attempt && !hands.recorded ? [hands.bull.data.n] : [],
  )
  expect(new Set(inFlight).size, 'two workers deliver the same job').toBe(inFlight.length)
  checkSent(world)
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
    if (inbox === 0 && bull === 0 && world.isIdle()) return
  }
  throw new Error(`does not come to rest: ${JSON.stringify(await world.counts())}`)
}

async function checkAtRest(world: JobWorld) {
  const numbers = await world.numbers()
  const live = new Map((await world.records.jobs(numbers)).map((job) => [job.n, job]))
  for (const n of numbers) {
    const job = live.get(n) ?? world.history.get(n)?.job
    expect(['DELIVERED', 'FAILED', 'DISCARDED'], `job ${n} is ${job?.status}`).toContain(job?.status)
    if (job?.status === 'FAILED') expect((await world.places(n, job.round)).error).toBe(true)
    else expect(live.has(n), `the record of job ${n} was not deleted`).toBe(false)
  }
  const failed = [...live.values()].filter((job) => job.status === 'FAILED')
  expect((await world.counts()).errors, 'entries in the error queue').toBe(failed.length)
}

const runs = Number(process.env.PROPERTY_RUNS ?? 40)

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
  await fc.assert(property, { numRuns: runs, endOnFailure: false })
}, 600_000)
