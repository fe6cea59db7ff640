import { Queue } from 'bullmq'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bullPrefix } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'

let fleet: Fleet
let instances: GanchoProcess[]
beforeAll(async () => {
  fleet = await openFleet({
    answer: (response) => response.end(),
    env: { MAINTENANCE_CRON: '*/2 * * * * *' },
  })
  instances = await Promise.all([fleet.start('all'), fleet.start('all')])
})
afterAll(() => fleet.close())

/** When the runs began that these instances logged, in epoch ms. */
const runs = () =>
  instances
    .flatMap((one) => [...one.output().matchAll(/"startedAt":(\d+).*"maintenance done"/g)])
    .map(([, startedAt]) => Number(startedAt))
    .toSorted()

test('two instances share one schedule and run maintenance once a tick', async () => {
  await until(() => runs().length >= 3, { what: 'three runs' })
  const queue = new Queue('maintenance', {
    connection: fleet.data,
    prefix: bullPrefix('maintenance'),
  })
  // A busy machine runs it late, so a run is told by the tick that BullMQ made it for.
  const seen = runs().length
  const jobs = await queue.getJobs(['completed', 'active'])
  expect(new Set(jobs.map(({ id }) => id?.split(':').at(-1))).size).toBe(jobs.length)
  expect(seen, 'each is run once').toBeLessThanOrEqual(jobs.length)
  const schedulers = await queue.getJobSchedulers()
  expect(schedulers.map(({ key, pattern }) => [key, pattern])).toEqual([['daily', '*/2 * * * * *']])
  // A run that becomes due is no next one any more, and the one behind it is made when it begins.
  await expect.poll(() => queue.getDelayed(), { message: 'one next run' }).toHaveLength(1)
  await queue.close()
})

test('the last run and what it removed are visible on either instance', async () => {
  const shown = async (one: GanchoProcess) => {
    const fields = 'startedAt finishedAt removedJobs removedErrorEntries trimmedJournalEntries'
    const { maintenance } = await clientOf(one).graphql<{ maintenance: Record<string, unknown> }>(
      `{ maintenance { ${fields} } }`,
    )
    return maintenance
  }
  for (const one of instances) {
    const last = runs().at(-1) ?? Number.NaN
    // One that takes long may be told of after the next one, on a busy machine.
    const isLast = async () => {
      const run = await shown(one)
      return Date.parse(run.startedAt as string) >= last && run
    }
    const { startedAt, ...rest } = await until(isLast, { what: 'the last run' })
    expect(rest).toEqual({
      finishedAt: expect.any(String),
      removedJobs: 0,
      removedErrorEntries: 0,
      trimmedJournalEntries: 0,
    })
    const shownAt = Date.parse(startedAt as string)
    await until(() => runs().includes(shownAt), { what: 'the log of that run' })
  }
})
