import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { type Fleet, openFleet, showJob, unlessAway, untilStatus } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { type Answer, type Receiver, startReceiver } from '../support/receiver.ts'

type Client = ReturnType<typeof clientOf>
type Breaker = { state: string; failureRate: number | null; openedAt: string | null; probesAt: string | null }

let fleet: Fleet
let failing: Receiver
let listening: Receiver
let gateway: GanchoProcess
let workers: GanchoProcess[]
let admin: Client
let tenant: Client
let destination: string
const ids: string[] = []

const fails: Answer = (response) => void response.writeHead(503).end()
const works: Answer = (response) => void response.end()
let answer = fails

beforeAll(async () => {
  failing = await startReceiver((...request) => answer(...request))
  listening = await startReceiver(works)
  fleet = await openFleet({
    answer: works,
    env: {
      ...{
        ALLOWED_CIDRS: '127.0.0.0/8',
        ATTEMPT_TIMEOUT_MS: '8000',
        RETRY_SCHEDULE_SECONDS: '0,1,1,1,1,1,1,1,1,1',
      },
      ...{ BREAKER_MIN_ATTEMPTS: '10', BREAKER_COOLDOWN_SECONDS: '1' },
    },
  })
  ;[gateway, ...workers] = await Promise.all([
    fleet.start('gateway'),
    fleet.start('worker'),
    fleet.start('worker'),
  ])
  admin = clientOf(gateway)
  const cnpj = '11222333000181'
  tenant = clientOf(gateway, await admin.newTenant(cnpj))
  const create = async (input: object) => {
    const mutation = `mutation ($input: CreateDestinationInput!) {
      createDestination(input: $input) { destination { id } } }`
    const data = await admin.graphql<{ createDestination: { destination: { id: string } } }>(mutation, {
      input: { cnpj, ...input },
    })
    return data.createDestination.destination.id
  }
  destination = await create({ name: 'failing', url: failing.url, eventTypes: ['order.*'] })
  await create({ name: 'listening', url: listening.url, eventTypes: ['gancho.*'] })
})
afterAll(async () => {
  await fleet.close()
  await failing.close()
  await listening.close()
})

async function breakerOf(): Promise<Breaker> {
  const query =
    'query ($id: ID!) { destination(id: $id) { breaker { state failureRate openedAt probesAt } } }'
  return (await tenant.graphql<{ destination: { breaker: Breaker } }>(query, { id: destination })).destination
    .breaker
}
const untilState = (...states: string[]) =>
  until(async () => states.includes((await breakerOf()).state), { what: `the breaker is ${states}` })
const post = (a: number) => tenant.postJob({ a }, { 'x-event-type': 'order.paid' })
const told = () => listening.received.map(({ headers }) => headers['x-event-type'])

test('both workers leave a destination alone that fails, and a job says that it waits for that', async () => {
  for (let a = 0; a < 40; a += 1) ids.push(await post(a))
  await untilState('OPEN')
  expect(await breakerOf()).toMatchObject({ openedAt: expect.any(String), probesAt: expect.any(String) })
  // Until it is open no more were sent than the two may have under way of it, and what these were tried again; then only probes.
  expect(failing.received.length).toBeLessThan(40)
  const id = await post(40)
  ids.push(id)
  const query = 'query ($id: ID!) { job(id: $id) { status explanation wait { reason ahead failureRate } } }'
  type Wait = { reason: string; ahead: number }
  type Shown = { job: { status: string; explanation: string; wait: Wait | null } }
  let job: Shown['job'] | undefined
  // It is accepted a moment before it is behind the others.
  const isBehind = async () => {
    job = (await tenant.graphql<Shown>(query, { id })).job
    return job.wait?.reason === 'BREAKER' && { ...job, wait: job.wait }
  }
  const { wait, explanation } = await until(isBehind, { what: () => `held back, not ${JSON.stringify(job)}` })
  expect(wait).toMatchObject({ failureRate: expect.any(Number) })
  expect(wait.ahead).toBeGreaterThan(10)
  expect(explanation).toMatch(/failed too much \(\d+ % of its attempts\)/)
  const metrics = await (await fetch(`${gateway.origin}/metrics`)).text()
  expect(metrics).toMatch('gancho_breakers_open{queue="nifi"} 1')
  await until(() => told().includes('gancho.breaker.opened'), { what: 'the event' })
  expect(listening.received[0]?.headers['webhook-signature']).toMatch(/^v1,/)
})

test('what is known of it outlives Redis, and a worker that is killed over a probe holds nobody up', async () => {
  const hung: string[] = []
  answer = (_response, { headers }) => void hung.push(String(headers['x-gancho-job']))
  await fleet.redis.kill9()
  await fleet.redis.restart({ keepData: true })
  // One that hangs since before may run out of time by now.
  hung.length = 0
  const id = await until(() => hung[0], { what: 'a probe' })
  const pid = await fleet.deliveringPid(id)
  // Those that the other worker has in hand get their answer, late.
  const [worker] = workers.filter((one) => one.pid === pid)
  await worker?.kill9()
  // The gateway may hear a moment later than the workers that Redis is back.
  const { state } = await until(() => unlessAway(breakerOf()), { what: 'the gateway reads Redis' })
  expect(['OPEN', 'HALF_OPEN']).toContain(state)
  answer = works
  const attempts = async () => (await showJob(tenant, id)).attempts.map(({ outcome }) => outcome)
  await until(async () => (await attempts()).includes('LOST'), { what: 'another worker has it' })
  await untilState('CLOSING', 'CLOSED')
})

test('all of its jobs arrive, none of them failed, and it is told that it works again', async () => {
  for (const id of ids) await untilStatus(tenant, id, 'DELIVERED')
  await until(() => told().includes('gancho.breaker.closed'), { what: 'the event' })
  // Once for each time, however many probes failed in between.
  expect(told().sort()).toEqual(['gancho.breaker.closed', 'gancho.breaker.opened'])
  for (const what of ['opened', 'closed'])
    await until(() => workers.some((one) => one.output().includes(`"operation":"breaker.${what}"`)), {
      what: `the log says that it ${what}`,
    })
})

test('a job waits for the hours of its destination, and goes as soon as these are changed', async () => {
  const update = (input: object) =>
    tenant.graphql(
      `mutation ($id: ID!, $input: UpdateDestinationInput!) {
      updateDestination(id: $id, input: $input) { id } }`,
      { id: destination, input },
    )
  const inThreeDays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][(new Date().getUTCDay() + 3) % 7]
  await update({ deliveryWindow: `${inThreeDays} 08:00-09:00 UTC` })
  // Until the worker has heard of it, jobs still go.
  const held = async () => {
    const id = await post(41)
    const isOver = async () => ['HELD', 'DELIVERED'].includes((await showJob(tenant, id)).status)
    await until(isOver, { what: 'held or delivered' })
    return (await showJob(tenant, id)).status === 'HELD' && id
  }
  const id = await until(held, { what: 'a job is held' })
  const query = 'query ($id: ID!) { job(id: $id) { wait { reason until } } }'
  const { job } = await tenant.graphql<{ job: { wait: { reason: string; until: string } } }>(query, { id })
  expect(job.wait.reason).toBe('DELIVERY_WINDOW')
  expect(new Date(job.wait.until).toISOString()).toMatch(/T08:00:00\.000Z$/)
  await update({ deliveryWindow: null })
  await untilStatus(tenant, id, 'DELIVERED')
})
