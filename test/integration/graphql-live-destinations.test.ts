import { expect, test } from 'vitest'
import { jobId } from '../../src/events/job.ts'
import { keys } from '../../src/redis/keys.ts'
import { graphql } from '../gql/gql.ts'
import { eventually } from '../support/eventually.ts'
import { graphqlForFile } from '../support/graphql-for-file.ts'
import { numericCnpj } from '../support/tenants.ts'

const Add = graphql(`
  mutation AddLiveDestination($input: CreateDestinationInput!) {
    createDestination(input: $input) { destination { id } }
  }
`)
const Change = graphql(`
  mutation ChangeLiveDestination($id: ID!, $input: UpdateDestinationInput!) {
    updateDestination(id: $id, input: $input) { version }
  }
`)
const Watch = graphql(`
  subscription WatchQueue($queue: String) {
    jobEvents(filter: { queue: $queue }) {
      ... on JobStatusChanged {
        jobId status job { explanation queue { name } destination { id name url tenant { cnpj } } }
      }
    }
  }
`)
const Stats = graphql(`
  subscription StatsOfAll($name: String) {
    queueStats(name: $name, everyMs: 500) { name waiting delayed failed paused oldestWaitingAt inPerSecond }
  }
`)

const { services, client, administrator, tenant } = await graphqlForFile()

const add = async (input: object) =>
  (await client.data(Add, { input: { name: 'one', url: 'https://example.com/hook', ...input } }))
    .createDestination.destination.id
const accept = async (json: unknown, cnpj = numericCnpj) => {
  const event = { cnpj, eventType: null, correlationId: null, contentType: 'application/json', headers: {} }
  const body = Buffer.from(JSON.stringify(json))
  return (await services.intake.accept({ ...event, body, json, idempotencyKey: null })).ns
}

test('queues that destinations bring into being are watched by whoever watches already, with their rates', async () => {
  const all = await administrator.subscribe(Stats)
  expect((await all.data()).queueStats.map(({ name }) => name)).toEqual(['nifi'])
  expect(await administrator.codes(Stats, { name: 'fresh' })).toEqual(['QUEUE_NOT_FOUND'])
  await add({ cnpj: numericCnpj, queue: 'fresh' })
  const fresh = await administrator.subscribe(Stats, { name: 'fresh' })
  expect(await fresh.data()).toMatchObject({ queueStats: [{ name: 'fresh', waiting: 0, paused: false }] })
  const [n = 0] = await accept({})
  await services.transitions.enqueue([n])
  await services.lanes.add([{ n, round: 0, queue: 'fresh' }])
  // What was counted just now, as if it had been 30 s ago, and not now: its 10 s may be over before it is looked at.
  const flows = await services.redis.keys(`${keys.journal}:flow:*`)
  const bucket = Math.max(...flows.map((flow) => Number(flow.split(':').at(-1))))
  await services.redis.rename(`${keys.journal}:flow:${bucket}`, `${keys.journal}:flow:${bucket - 3}`)
  const waiting = { name: 'fresh', waiting: 1, failed: 0, inPerSecond: 1 / 60 }
  await eventually(async () => {
    expect((await all.data()).queueStats).toMatchObject([{ name: 'nifi', waiting: 0 }, waiting])
    const [own] = (await fresh.data()).queueStats
    expect(own).toMatchObject(waiting)
    expect(Date.parse(String(own?.oldestWaitingAt))).toBeGreaterThan(Date.now() - 60_000)
  })
  for (const { stream } of [all, fresh]) stream.close()
})

test('job events are told apart by queue, each with its destination, which a tenant sees only of its own', async () => {
  const own = await add({ cnpj: numericCnpj, name: 'own', queue: 'watched' })
  const [owned, seen] = [
    await tenant.subscribe(Watch, { queue: 'watched' }),
    await administrator.subscribe(Watch, { queue: 'watched' }),
  ]
  const ns = await accept({})
  const jobs = await services.records.jobs(ns)
  const n = jobs.find(({ queue }) => queue === 'watched')?.n ?? 0
  expect(ns).toHaveLength(2)
  const destination = { id: own, name: 'own', url: 'https://example.com/hook', tenant: { cnpj: numericCnpj } }
  const job = { queue: { name: 'watched' }, destination }
  for (const events of [owned, seen])
    expect(await events.data()).toMatchObject({ jobEvents: { jobId: jobId(n), status: 'RECEIVED', job } })
  // The one after it is of the same queue: what went into others was left out.
  await services.transitions.enqueue(ns)
  for (const events of [owned, seen])
    expect(await events.data()).toMatchObject({ jobEvents: { jobId: jobId(n), status: 'QUEUED' } })
  for (const { stream } of [owned, seen]) stream.close()
})

test('a job that is held says so as soon as it happens, and that its destination is out of service', async () => {
  const id = await add({ cnpj: numericCnpj, name: 'off', queue: 'held' })
  const ns = await accept({})
  const held = (await services.records.jobs(ns)).find(({ queue }) => queue === 'held')?.n ?? 0
  await services.transitions.enqueue([held])
  const events = await tenant.subscribe(Watch, { queue: 'held' })
  await client.data(Change, { id, input: { active: false } })
  const started = await services.transitions.start(held, 0, 'test', 30_000)
  await services.transitions.finish(held, started.kind === 'started' ? started.start : 0, {
    ...{ status: 'HELD', uncounted: true },
  })
  const changes = (await events.take(2)).map(({ jobEvents }) => jobEvents)
  expect(changes).toMatchObject([
    { status: 'DELIVERING' },
    { status: 'HELD', job: { explanation: `Held back, because destination ${id} is out of service.` } },
  ])
  events.stream.close()
})
