import { afterAll, beforeAll, expect, test } from 'vitest'
import { bullPrefix } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { attemptsAt, clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'
import { type GanchoProcess, soonTakenOver } from '../support/gancho.ts'

const allAttempts = 3
let fleet: Fleet
let clients: Awaited<ReturnType<typeof clientsOf>>
/** Jobs by the number of workers that are killed over them. */
const jobs: Record<1 | 2 | 3, string> = { 1: '', 2: '', 3: '' }
const killed: number[] = []

/** Kills the one worker that holds this attempt of all these jobs, and has another take its place. */
async function killOver(worker: GanchoProcess, ids: readonly string[], attempt: number) {
  const arrived = () => ids.every((id) => attemptsAt(fleet.receiver).includes(`${id}.0.${attempt}`))
  await until(arrived, { what: `attempt ${attempt} of ${ids} at the receiver` })
  // Before the attempts run out of time.
  await worker.kill9()
  for (const id of ids) expect(await fleet.deliveringPid(id)).toBe(worker.pid)
  killed.push(worker.pid)
  return fleet.start('worker')
}

beforeAll(async () => {
  fleet = await openFleet({
    answer(response, { headers, body }) {
      const { workersToKill } = JSON.parse(body.toString())
      if (Number(headers['x-gancho-attempt']) > workersToKill) response.end()
    },
    env: { ...soonTakenOver, RETRY_SCHEDULE_SECONDS: '0,0' },
  })
  const [gateway, first] = await Promise.all([fleet.start('gateway'), fleet.start('worker')])
  clients = await clientsOf(gateway)
  for (const workersToKill of [1, 2, 3] as const) {
    jobs[workersToKill] = await clients.tenant.postJob({ workersToKill })
  }
  const second = await killOver(first, [jobs[1], jobs[2], jobs[3]], 1)
  // A worker is killed over the jobs named alone: the others it has must be recorded first.
  await untilStatus(clients.admin, jobs[1], 'DELIVERED')
  const third = await killOver(second, [jobs[2], jobs[3]], 2)
  await untilStatus(clients.admin, jobs[2], 'DELIVERED')
  await killOver(third, [jobs[3]], 3)
})
afterAll(() => fleet.close())

const outcomes = ({ attempts }: { attempts: { outcome: string }[] }) => attempts.map((one) => one.outcome)

test('a job whose worker is killed while the receiver has its request is delivered by another, and the lost attempt shows', async () => {
  expect(outcomes(await untilStatus(clients.admin, jobs[1], 'DELIVERED'))).toEqual(['LOST', 'DELIVERED'])
})

test('a receiver recognises what it gets again by the same webhook-id', () => {
  const ids = fleet.receiver.received
    .filter(({ headers }) => headers['x-gancho-job'] === jobs[1])
    .map(({ headers }) => headers['webhook-id'])
  expect(ids).toEqual([expect.any(String), ids[0]])
})

test('a job over which two workers were killed is delivered by the third', async () => {
  expect(outcomes(await untilStatus(clients.admin, jobs[2], 'DELIVERED'))).toEqual([
    'LOST',
    'LOST',
    'DELIVERED',
  ])
})

test('a job that costs a worker at every attempt ends FAILED in the error queue, and is sent no more', async () => {
  const job = await untilStatus(clients.admin, jobs[3], 'FAILED')
  expect(outcomes(job)).toEqual(['LOST', 'LOST', 'LOST'])
  expect(job.failure).toEqual({ reason: 'WORKER_LOST', attempts: allAttempts })
  const inErrorQueue = async () =>
    (await clients.admin.graphql<{ queue: { failed: number } }>('{ queue(name: "nifi") { failed } }')).queue
      .failed === 1
  await until(inErrorQueue, { what: 'the entry in the error queue' })
  const sent = attemptsAt(fleet.receiver).filter((attempt) => attempt.startsWith(`${jobs[3]}.`))
  expect(sent).toEqual([1, 2, 3].map((attempt) => `${jobs[3]}.0.${attempt}`))
})

test("no killed worker leaves anything in BullMQ's own failed set, or active", async () => {
  expect(new Set(killed).size).toBe(3)
  const left = async () => {
    const prefix = `${bullPrefix('nifi')}:nifi`
    return [await fleet.data.zcard(`${prefix}:failed`), await fleet.data.llen(`${prefix}:active`)]
  }
  await until(async () => (await left())[1] === 0, { what: 'nothing active' })
  expect(await left()).toEqual([0, 0])
})
