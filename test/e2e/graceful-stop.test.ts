import { once } from 'node:events'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { attemptsAt, clientsOf, type Fleet, openFleet, showJob, untilStatus } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { refusalsWithRedis, startLoad } from '../support/load.ts'

let fleet: Fleet
let gancho: GanchoProcess
let token: string
/** Answers that the receiver holds back. */
const held: ServerResponse[] = []
let holding = false
const release = () => {
  holding = false
  for (const response of held.splice(0)) response.end()
}

beforeAll(async () => {
  fleet = await openFleet({
    answer(response) {
      if (holding) held.push(response)
      else response.end()
    },
    // A lease that nobody gives back outlasts these tests.
    env: { ATTEMPT_TIMEOUT_MS: '60000', WORKER_CONCURRENCY: '4' },
  })
  gancho = await fleet.start('all')
  token = (await clientsOf(gancho)).token
})
afterAll(() => fleet.close())

const numberOfJobs = async () => Number(await fleet.data.get(keys.seq))
const isStopping = () => gancho.output().includes('stopping: finishing what is in flight')

/** Sends the head and half the body of an event, and waits until Gancho has it; the rest goes when `finish` is called. */
async function beginRequest() {
  const body = JSON.stringify({ order: 'a body that takes its time' })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const outgoing = request(`${gancho.origin}/webhook`, {
    method: 'POST',
    headers: { ...headers, 'content-length': body.length, expect: '100-continue' },
  })
  // A connection that is not accepted yet when the server closes is reset.
  outgoing.flushHeaders()
  await once(outgoing, 'continue')
  outgoing.write(body.slice(0, 10))
  return async () => {
    outgoing.end(body.slice(10))
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.resume()
    return response.statusCode
  }
}

test('stopped under load, Gancho answers what it accepted, finishes what it delivers, and exits with 0', async () => {
  const load = startLoad(clientOf(gancho, token), 32)
  await until(() => load.accepted.size > 300, { what: 'load' })
  const finishRequest = await beginRequest()
  holding = true
  await until(() => held.length === 4, { what: 'deliveries in flight' })
  const inFlight = attemptsAt(fleet.receiver).slice(-4)
  const ended = gancho.stop()
  await until(isStopping, { what: 'the signal arrived' })
  expect(await finishRequest()).toBe(202)
  release()
  expect(await ended).toBe(0)
  // Whoever is told to stop before it has seen that the connection is closed would not be among them.
  await until(() => load.unanswered.length === 32, { what: 'every sender sees its connection closed' })
  await load.stop()

  expect(load.refused.map(({ answered }) => answered.status).filter((status) => status !== 503)).toEqual([])
  const all = await numberOfJobs()
  expect(all, 'every 202 has a job').toBeGreaterThan(load.accepted.size)
  // But for those of whom a slow Redis did not say so in time.
  const untold = load.refused.length - refusalsWithRedis(load).length
  expect(all, 'whoever got no 202 has no job').toBeLessThanOrEqual(load.accepted.size + 1 + untold)

  gancho = await fleet.start('all')
  const isDone = () => attemptsAt(fleet.receiver).length >= all
  await until(isDone, { what: 'the rest is delivered' })
  for (const attempt of inFlight) {
    const job = await untilStatus(clientOf(gancho), attempt.split('.')[0] ?? '', 'DELIVERED')
    expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['DELIVERED'])
  }
  const jobs = Array.from({ length: all }, (_, i) => `ID-${i + 1}.0.1`)
  expect(attemptsAt(fleet.receiver).toSorted(), 'each job is sent once').toEqual(jobs.toSorted())
})

test('while the last requests finish, no further delivery begins', async () => {
  const single = await fleet.start('all', { WORKER_CONCURRENCY: '1' })
  await gancho.stop()
  gancho = single
  holding = true
  const client = clientOf(gancho, token)
  const first = await client.postJob({ order: 'in flight' })
  await until(() => held.length === 1, { what: 'the first delivery is in flight' })
  const second = await client.postJob({ order: 'waiting' })
  const finishRequest = await beginRequest()
  const ended = gancho.stop()
  await until(isStopping, { what: 'the signal arrived' })
  release()
  const statusOfFirst = () => fleet.data.hget(keys.job(Number(first.slice(3))), 'status')
  await until(async () => (await statusOfFirst()) !== 'DELIVERING', { what: 'the first one is over' })
  expect(await finishRequest()).toBe(202)
  expect(await ended).toBe(0)
  expect(attemptsAt(fleet.receiver).filter((attempt) => attempt.startsWith(`${second}.`))).toEqual([])
  gancho = await fleet.start('all')
  await untilStatus(clientOf(gancho), second, 'DELIVERED')
})

test('an attempt that outlasts the time to stop is broken off, handed back, and made again by the next process at once', async () => {
  holding = true
  const impatient = await fleet.start('all', { SHUTDOWN_TIMEOUT_MS: '200' })
  await gancho.stop()
  const id = await clientOf(impatient, token).postJob({ order: 'slow' })
  await until(() => held.length === 1, { what: 'the delivery is in flight' })
  const since = performance.now()
  expect(await impatient.stop()).toBe(0)
  expect(performance.now() - since, 'ms to stop').toBeLessThan(30_000)
  held.splice(0)
  holding = false

  gancho = await fleet.start('all')
  await untilStatus(clientOf(gancho), id, 'DELIVERED')
  const { attempts } = await showJob(clientOf(gancho), id)
  expect(attempts.map(({ outcome }) => outcome)).toEqual(['RETRY', 'DELIVERED'])
})
