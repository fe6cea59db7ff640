import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { openEventStream } from '../support/event-stream.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { openSocket } from '../support/graphql-socket.ts'
import { samplesOf, untilShown } from '../support/metrics.ts'
import { json, startUpstreamServer } from '../support/upstream-server.ts'

let upstream: Awaited<ReturnType<typeof startUpstreamServer>>
let fleet: Fleet
let gateway: GanchoProcess
let token: string
let admin: ReturnType<typeof clientOf>

/** Refuses a call whose body says so, and takes every other one with an id of its own. */
beforeAll(async () => {
  upstream = await startUpstreamServer({
    call(response, { body }) {
      const { refuse, id } = JSON.parse(body.toString())
      json(response, refuse ? 400 : 201, { id })
    },
  })
  const env = { DOMAIN: upstream.origin, APIKEY: 'an-api-key', TIMEOUT: '100000', MAX_WAITING_REPLIES: '2' }
  fleet = await openFleet({ answer: (response) => response.end(), env })
  gateway = await fleet.start('gateway')
  ;({ token, admin } = await clientsOf(gateway))
})
afterAll(async () => {
  await fleet.close()
  await upstream.close()
})

const Call = `mutation ($input: CallAndAwaitInput!) { callAndAwait(input: $input) { __typename } }`
async function call(input: object): Promise<string> {
  type Called = { callAndAwait: { __typename: string } }
  return (await clientOf(gateway, token).graphql<Called>(Call, { input })).callAndAwait.__typename
}
/** Answers the call whose id this is, as its upstream would. */
async function callBack(id: string, reply: object): Promise<void> {
  const called = await until(() => upstream.calls.find(({ body }) => JSON.parse(body.toString()).id === id), {
    what: `the call of ${id}`,
  })
  const { pathname } = new URL(String(called.headers['x-callback-url']))
  const headers = { 'content-type': 'application/json' }
  const sent = { method: 'POST', headers, body: JSON.stringify(reply) }
  expect((await fetch(`${gateway.origin}${pathname}`, sent)).status).toBe(202)
}

test('calls are counted by what their callers were answered, and those who wait while they do', async () => {
  await untilShown(gateway, { gancho_awaited_replies_waiting: 0 })
  const replied = Promise.all(['a', 'a2'].map((id) => call({ body: { id } })))
  await untilShown(gateway, { gancho_awaited_replies_waiting: 2 })
  expect(await call({ body: { id: 'b' } })).toBe('TooManyAwaiting')
  for (const id of ['a', 'a2']) await callBack(id, { id })
  expect(await replied).toEqual(['ReplyReceived', 'ReplyReceived'])
  expect(await call({ body: { refuse: true } })).toBe('UpstreamFailed')
  expect(await call({ body: { id: 'c' }, timeoutMs: 100 })).toBe('ReplyPending')
  await expect(call({ upstream: 'nobody' })).rejects.toThrow('UPSTREAM_NOT_FOUND')
  await untilShown(gateway, {
    gancho_awaited_replies_waiting: 0,
    'gancho_awaited_replies_total{outcome="replied"}': 2,
    'gancho_awaited_replies_total{outcome="too_many"}': 1,
    'gancho_awaited_replies_total{outcome="upstream_failed"}': 1,
    'gancho_awaited_replies_total{outcome="pending"}': 1,
    'gancho_awaited_replies_total{outcome="error"}': 1,
    'gancho_awaited_reply_duration_seconds_count{outcome="replied"}': 2,
    'gancho_upstream_calls_total{upstream="default",outcome="ACCEPTED"}': 3,
    'gancho_upstream_calls_total{upstream="default",outcome="UPSTREAM_REFUSED"}': 1,
  })
  const waited = (await samplesOf(gateway)).get(
    'gancho_awaited_reply_duration_seconds_sum{outcome="pending"}',
  )
  expect(waited).toBeGreaterThanOrEqual(0.1)
  expect(waited).toBeLessThan(60)
})

const query = 'subscription { jobEvents { ... on JobStatusChanged { jobId status } } }'
const open = (sse: number, websocket: number) => ({
  'gancho_streams_open{transport="sse"}': sse,
  'gancho_streams_open{transport="websocket"}': websocket,
})

test('streams are counted by what carries them while they are open, and by their codes once they end', async () => {
  await untilShown(gateway, open(0, 0))
  const kept = await openEventStream(gateway.origin, { query, token })
  const left = await openEventStream(gateway.origin, { query })
  const keptSocket = await openSocket(gateway.origin, { token })
  const leftSocket = await openSocket(gateway.origin)
  for (const id of ['1', '2']) keptSocket.subscribe(id, query)
  leftSocket.subscribe('1', query)
  await untilShown(gateway, { ...open(2, 3), gancho_journal_tail_lag_seconds: 0 })
  await clientOf(gateway, token).postJob({ order: 1 })
  const haveIt = () => [kept, left].every(({ results }) => results().length === 1)
  await until(haveIt, { what: 'the event' })
  // One for the tenant's three subscriptions, and one for the administrator's two.
  const made = { gancho_stream_results_total: 2 }
  await untilShown(gateway, made)

  left.close()
  leftSocket.socket.close()
  keptSocket.send({ id: '2', type: 'complete' })
  await untilShown(gateway, { ...open(1, 1), 'gancho_streams_ended_total{code="DONE"}': 3 })

  await admin.call('PATCH', '/admin/clientes/11222333000181?active=false')
  await Promise.all([kept.ended, keptSocket.closed])
  await untilShown(gateway, {
    ...open(0, 0),
    ...made,
    'gancho_streams_ended_total{code="TENANT_INACTIVE"}': 2,
  })
})
