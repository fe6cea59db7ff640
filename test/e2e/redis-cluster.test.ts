import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bullPrefix, keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { openEventStream } from '../support/event-stream.ts'
import { clientsOf, untilStatus } from '../support/fleet.ts'
import { type GanchoProcess, sharedEnvironment, startGancho } from '../support/gancho.ts'
import { startLoad } from '../support/load.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { startTestCluster, type TestCluster } from '../support/redis-cluster.ts'
import { json, startUpstreamServer } from '../support/upstream-server.ts'

const events = `subscription { jobEvents { ... on JobStatusChanged { jobId status } } }`
const call = `mutation ($input: CallAndAwaitInput!) { callAndAwait(input: $input) { __typename
  ... on ReplyReceived { payload } } }`
type Event = { data?: { jobEvents: { jobId: string; status: string } } }

let works = true
let cluster: TestCluster
let receiver: Receiver
let upstream: Awaited<ReturnType<typeof startUpstreamServer>>
let shared: ReturnType<typeof sharedEnvironment>
let gateway: GanchoProcess
let worker: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  cluster = await startTestCluster({ replica: true })
  receiver = await startReceiver((response) => response.writeHead(works ? 200 : 500).end())
  upstream = await startUpstreamServer({ call: (response) => json(response, 201, { id: 'on-a-cluster' }) })
  shared = sharedEnvironment(cluster.url, receiver.url)
  const env = { ...shared.env, DOMAIN: upstream.origin, APIKEY: 'an-api-key', TIMEOUT: '60000' }
  ;[gateway, worker] = await Promise.all([
    startGancho({ env: { ...env, ROLE: 'gateway' } }),
    startGancho({ env: { ...env, ROLE: 'worker' } }),
  ])
  clients = await clientsOf(gateway)
})
afterAll(async () => {
  await Promise.all([gateway?.kill9(), worker?.kill9()])
  await Promise.all([receiver?.close(), upstream?.close()])
  await cluster?.stop()
  await shared?.remove()
})

/** The masters of the start that hold keys of this form, by their place. */
async function mastersWith(pattern: string): Promise<number[]> {
  const found = await Promise.all(
    cluster.masters.map(async ({ url }) => {
      const node = new Redis(url)
      const names = await node.keys(pattern)
      node.disconnect()
      return names.length > 0
    }),
  )
  return found.flatMap((has, place) => (has ? [place] : []))
}

test('an event is delivered, recorded and seen live, and its queue is on another node than the records', async () => {
  const stream = await openEventStream(gateway.origin, { query: events, token: clients.token })
  const id = await clients.tenant.postJob({ order: 1 })
  const seen = () => stream.results().flatMap((one) => (one as Event).data?.jobEvents ?? [])
  await until(() => seen().some(({ jobId, status }) => jobId === id && status === 'DELIVERED'), {
    what: `${id} is seen as delivered`,
  })
  stream.close()
  const recorded = async () => {
    const { jobs } = await clients.tenant.graphql<{
      jobs: { edges: { node: { id: string; status: string } }[] }
    }>('{ jobs(first: 5) { edges { node { id status } } } }')
    return jobs.edges.some(({ node }) => node.id === id && node.status === 'DELIVERED')
  }
  await until(recorded, { what: `${id} is in the history` })
  expect(await mastersWith(`${keys.prefix}*`)).toEqual([0])
  expect(await mastersWith(`${bullPrefix('nifi')}*`)).toEqual([2])
})

test('what failed for good is delivered once it is reprocessed, by itself and in bulk', async () => {
  works = false
  const [one = '', ...others] = await Promise.all([1, 2, 3].map((order) => clients.tenant.postJob({ order })))
  for (const id of [one, ...others]) await untilStatus(clients.tenant, id, 'FAILED')
  works = true
  await clients.tenant.graphql('mutation ($id: ID!) { reprocessJob(id: $id) { id } }', { id: one })
  await untilStatus(clients.tenant, one, 'DELIVERED')

  const preview = 'mutation { previewReprocess(filter: { queue: "nifi" }) { count token } }'
  type Preview = { previewReprocess: { count: number; token: string } }
  const token = await until(async () => {
    const { previewReprocess: shown } = await clients.tenant.graphql<Preview>(preview)
    return shown.count === others.length && shown.token
  })
  await clients.tenant.graphql('mutation ($token: String!) { commitReprocess(token: $token) { id } }', {
    token,
  })
  for (const id of others) await untilStatus(clients.tenant, id, 'DELIVERED')
})

test('a call is answered by the webhook that replies', async () => {
  const calling = clients.tenant.graphql(call, { input: { body: {} } })
  await until(() => upstream.calls.length === 1, { what: 'the call reaches the upstream' })
  await clients.tenant.postJob({ id: 'on-a-cluster', paid: true })
  expect(await calling).toEqual({
    callAndAwait: { __typename: 'ReplyReceived', payload: { id: 'on-a-cluster', paid: true } },
  })
})

test('when the master of all records dies senders get 503, and its replica takes over with all that it was given', async () => {
  const load = startLoad(clientOf(gateway, clients.token), 4)
  await until(() => load.accepted.size > 50, { what: 'events are accepted' })
  const { replica, masters } = cluster
  const copy = new Redis(replica?.url ?? '')
  const before = new Set(load.accepted)
  // Told on the copy itself: replication is asynchronous, so only what it has outlives its master.
  const last = Math.max(...[...before].map((id) => Number(id.slice('ID-'.length))))
  const given = async () => /slave_repl_offset:(\d+)/.exec(await copy.info('replication'))?.[1]
  const origin = new Redis(masters[0]?.url ?? '')
  const written = /master_repl_offset:(\d+)/.exec(await origin.info('replication'))?.[1]
  await until(async () => Number(await given()) >= Number(written), { what: `the replica has ID-${last}` })
  for (const client of [copy, origin]) client.disconnect()
  await masters[0]?.kill9()

  await until(() => load.refused.length > 0, { what: 'a sender is refused' })
  const held = load.accepted.size
  await until(() => load.accepted.size > held + 50, { what: 'events are accepted by the replica' })
  await load.stop()
  expect(load.unanswered).toEqual([])
  for (const { answered } of load.refused) {
    expect([answered.status, answered.body]).toMatchObject([503, { error: { code: 'REDIS_UNAVAILABLE' } }])
  }
  const delivered = () => new Set(receiver.received.map(({ headers }) => headers['x-gancho-job']))
  const missing = () => [...before].filter((id) => !delivered().has(id))
  await until(() => missing().length === 0, { what: () => `${missing()} delivered` })
  await untilStatus(clients.tenant, await clients.tenant.postJob({ order: 'after' }), 'DELIVERED')
})
