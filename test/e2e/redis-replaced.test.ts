import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { attemptsAt, clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'

let fleet: Fleet
let gateway: GanchoProcess
let token: string
const given = new Set<number>()

/** Posts events and waits until they are delivered and history knows it; no number may have been given before. */
async function deliverSome(): Promise<string[]> {
  const tenant = clientOf(gateway, token)
  const ids: string[] = []
  const post = async () => {
    const { status, body } = await tenant.post({ order: ids.length })
    if (status === 202) ids.push(body.id as string)
    return ids.length === 5
  }
  await until(post, { what: 'five events accepted' })
  for (const id of ids) {
    const n = Number(id.slice('ID-'.length))
    expect(given.has(n), `${id} was given before`).toBe(false)
    expect(n).toBeGreaterThan(Math.max(0, ...given))
    given.add(n)
    await untilStatus(clientOf(gateway), id, 'DELIVERED')
  }
  await untilForgotten(ids)
  return ids
}

/** Records go when history has them. */
async function untilForgotten(ids: readonly string[]) {
  const records = ids.map((id) => keys.job(Number(id.slice('ID-'.length))))
  await until(async () => (await fleet.data.exists(records)) === 0, { what: 'history has them' })
}

async function reprocess(id: string) {
  await clientOf(gateway).graphql('mutation ($id: ID!) { reprocessJob(id: $id) { id } }', { id })
  await until(() => attemptsAt(fleet.receiver).includes(`${id}.1.2`), { what: `${id} is sent again` })
  const job = await untilStatus(clientOf(gateway), id, 'DELIVERED')
  expect(job.attempts.map(({ round, outcome }) => [round, outcome])).toEqual([
    [0, 'DELIVERED'],
    [1, 'DELIVERED'],
  ])
}

const epoch = () => fleet.data.get(keys.epoch)
let oldJobs: string[]
let oldEpoch: string | null

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end() })
  gateway = await fleet.start('all')
  token = (await clientsOf(gateway)).token
  oldJobs = await deliverSome()
  oldEpoch = await epoch()
})
afterAll(() => fleet.close())

test('an empty Redis found at start gets a new epoch and higher numbers, and jobs from before can be delivered again', async () => {
  await gateway.stop()
  await fleet.redis.restart({ keepData: false })
  gateway = await fleet.start('all')
  expect(await epoch()).toEqual(expect.any(String))
  expect(await epoch()).not.toBe(oldEpoch)
  const newJobs = await deliverSome()
  await reprocess(oldJobs[0] ?? '')
  oldJobs.push(...newJobs)
  oldEpoch = await epoch()
})

test('so does a Redis that is replaced by an empty one while Gancho runs, and its maintenance is scheduled anew', async () => {
  await fleet.redis.restart({ keepData: false })
  const newJobs = await deliverSome()
  expect(await epoch()).toEqual(expect.any(String))
  expect(await epoch()).not.toBe(oldEpoch)
  await reprocess(oldJobs[1] ?? '')
  await reprocess(oldJobs.at(-1) ?? '')
  await reprocess(newJobs[0] ?? '')
  const schedules = () => fleet.data.zcard('{gancho:maintenance}:maintenance:repeat')
  await until(async () => (await schedules()) === 1, { what: 'a schedule' })
})
