import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { type Fleet, openFleet, showJob, untilStatus } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'

type Client = ReturnType<typeof clientOf>

let fleet: Fleet
let receivers: Receiver[]
let [one, other]: GanchoProcess[] = []
let [admin, adminOfOther]: Client[] = []
let answers: ((attempt: number) => number)[]

beforeAll(async () => {
  answers = [() => 200, () => 404, (attempt) => (attempt === 1 ? 500 : 200)]
  receivers = await Promise.all(
    answers.map((_, at) =>
      startReceiver((response, { headers }) => {
        response.writeHead(answers[at]?.(Number(headers['x-gancho-attempt'])) ?? 500).end()
      }),
    ),
  )
  fleet = await openFleet({
    answer: (response) => response.end(),
    env: { ALLOWED_CIDRS: '127.0.0.0/8' },
  })
  ;[one, other] = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  await fleet.start('worker')
  ;[admin, adminOfOther] = [clientOf(one), clientOf(other)]
})
afterAll(async () => {
  await fleet.close()
  for (const receiver of receivers) await receiver.close()
})

async function newTenant(cnpj: string) {
  const token = await (admin as Client).newTenant(cnpj)
  return { cnpj, here: clientOf(one as GanchoProcess, token), there: clientOf(other as GanchoProcess, token) }
}

async function create(by: Client, input: object): Promise<string> {
  const mutation = `mutation ($input: CreateDestinationInput!) {
    createDestination(input: $input) { destination { id } } }`
  const data = await by.graphql<{ createDestination: { destination: { id: string } } }>(mutation, {
    input: { name: 'test', ...input },
  })
  return data.createDestination.destination.id
}

/** Posts until events go to exactly these destinations. @returns the ids of that event's jobs, and how long that took. */
async function postedUntil(by: Client, destinations: string[]) {
  const start = performance.now()
  const query = 'query ($id: ID!) { job(id: $id) { destinationId } }'
  const goesTo = async (id: string) =>
    (await by.graphql<{ job: { destinationId: string } }>(query, { id })).job.destinationId
  let routed: string[] = []
  const post = async () => {
    const { body } = await by.postPatiently({ a: 1 }, { 'x-event-type': 'order.paid' })
    const ids = body.ids as string[]
    // As many jobs may also be one for the environment's destination, from a gateway that has not heard of the tenant's yet.
    routed = await Promise.all(ids.map(goesTo))
    return (
      String(routed.sort()) === String([...destinations].sort()) && { ids, eventId: body.eventId as string }
    )
  }
  const what = () => `an event goes to ${destinations}, the last one went to ${routed}`
  const posted = await until(post, { what })
  return { ...posted, tookMs: performance.now() - start }
}

test('an event goes to three receivers, each with an outcome of its own, as soon as they were made elsewhere', async () => {
  const { cnpj, here, there } = await newTenant('11222333000181')
  await there.postPatiently({ known: 'to this gateway' })
  const urlOf = (at: number) => receivers[at]?.url
  const created = [
    await create(admin as Client, { cnpj, url: urlOf(0), queue: 'fast' }),
    await create(admin as Client, { cnpj, url: urlOf(1), queue: 'slow', finalStatuses: [404] }),
    await create(here, { url: urlOf(2), retryScheduleSeconds: [0, 0] }),
  ]
  const { ids, tookMs } = await postedUntil(there, created)
  // By a message: a gateway that is told of nothing reads them again after a minute.
  expect(tookMs).toBeLessThan(30_000)
  const [a = '', b = '', c = ''] = ids
  await untilStatus(here, a, 'DELIVERED')
  expect((await untilStatus(here, b, 'FAILED')).failure).toMatchObject({
    reason: 'FINAL_STATUS',
    attempts: 1,
  })
  const retried = await untilStatus(here, c, 'DELIVERED')
  expect(retried.attempts.map(({ statusCode }) => statusCode)).toEqual([500, 200])
  const query = '{ jobs(first: 3) { edges { node { id eventId queue { name } destination { url } } } } }'
  type Shown = { id: string; eventId: string; queue: { name: string }; destination: { url: string } }
  const shown = async () => {
    const { jobs } = await there.graphql<{ jobs: { edges: { node: Shown }[] } }>(query)
    const own = jobs.edges.map(({ node }) => node).filter(({ id }) => ids.includes(id))
    return own.length === 3 && own
  }
  const own = await until(shown)
  expect(new Set(own.map(({ eventId }) => eventId)).size).toBe(1)
  expect(own.map(({ queue, destination }) => `${queue.name} ${destination.url}`).sort()).toEqual(
    [`fast ${urlOf(0)}`, `slow ${urlOf(1)}`, `nifi ${urlOf(2)}`].sort(),
  )
})

test('an event goes to each of twenty destinations, the most that a tenant may have', async () => {
  const { here } = await newTenant('33000167000101')
  const created: string[] = []
  const url = fleet.receiver.url
  for (let at = 0; at < 20; at += 1)
    created.push(await create(here, { name: `${at}`, url: `${url}of-${at}` }))
  await expect(create(here, { url })).rejects.toThrow('as many destin')
  const { ids } = await postedUntil(here, created)
  for (const id of ids) await untilStatus(here, id, 'DELIVERED')
  const came = fleet.receiver.received.filter(({ headers }) =>
    ids.includes(headers['x-gancho-job'] as string),
  )
  expect(new Set(came.map(({ path }) => path)).size).toBe(20)
  expect(new Set(came.map(({ headers }) => headers['webhook-id'])).size).toBe(20)
})

test('a queue that was opened on one process is known on every other, and failed jobs of it are delivered again', async () => {
  const { cnpj, here } = await newTenant('12ABC34501DE35')
  const destination = await create(admin as Client, { cnpj, url: receivers[0]?.url, queue: 'brand-new' })
  const names = async () => {
    const { queues } = await (adminOfOther as Client).graphql<{ queues: { name: string }[] }>(
      '{ queues { name } }',
    )
    return queues.some(({ name }) => name === 'brand-new')
  }
  await until(names, { what: 'the other gateway knows the queue' })
  const { ids } = await postedUntil(here, [destination])
  const [id = ''] = ids
  await untilStatus(here, id, 'DELIVERED')
  const report = await (adminOfOther as Client).call('POST', '/nifi/falha/brand-new', { id, error: 'no' })
  expect(report.body).toMatchObject({ queue: 'brand-new', requeued: [id] })
  await until(async () => (await showJob(here, id)).attemptCount === 2, { what: 'the second round' })
  expect((await (adminOfOther as Client).call('POST', '/nifi/falha/unheard-of', { id })).status).toBe(404)
})

test('jobs that wait for a destination that is deleted rest in the error queue as DESTINATION_GONE, and nothing more is sent', async () => {
  const { here, there } = await newTenant('00000000000191')
  // Long enough that the worker has heard of the end before it would send again.
  const busy = await startReceiver((response) => response.writeHead(503, { 'retry-after': '10' }).end())
  const id = await create(here, { url: busy.url, retryScheduleSeconds: [0, 0, 0] })
  const { ids } = await postedUntil(there, [id])
  const [job = ''] = ids
  await untilStatus(here, job, 'RETRYING')
  const sent = busy.received.length
  await here.graphql('mutation ($id: ID!) { deleteDestination(id: $id) }', { id })
  expect((await untilStatus(here, job, 'FAILED')).failure).toMatchObject({ reason: 'DESTINATION_GONE' })
  expect(busy.received).toHaveLength(sent)
  const shown = await there.graphql<{ job: { destination: null; destinationId: string } }>(
    'query ($id: ID!) { job(id: $id) { destinationId destination { id } } }',
    { id: job },
  )
  expect(shown.job).toEqual({ destinationId: id, destination: null })
  await busy.close()
})

test('a queue whose last destination is gone is worked off and shown by processes that start later', async () => {
  const { cnpj, here } = await newTenant('34238864000168')
  const id = await create(admin as Client, { cnpj, url: receivers[0]?.url, queue: 'left-over' })
  await postedUntil(here, [id])
  await (admin as Client).graphql('mutation ($id: ID!) { deleteDestination(id: $id) }', { id })
  const later = clientOf(await fleet.start('gateway'))
  const names = async () => {
    const { queues } = await later.graphql<{ queues: { name: string }[] }>('{ queues { name } }')
    return queues.some(({ name }) => name === 'left-over')
  }
  await until(names, { what: 'the later gateway knows the queue' })
})
