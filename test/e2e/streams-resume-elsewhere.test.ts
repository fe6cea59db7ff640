import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../support/client.ts'
import { type EventStream, endingOf, openEventStream } from '../support/event-stream.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { openSocket, socketUrl } from '../support/graphql-socket.ts'

const query = `subscription ($after: Cursor) { jobEvents(after: $after) {
  ... on JobStatusChanged { cursor jobId status } ... on JobEventsGap { cursor reason } } }`
type Event = { cursor: string; jobId?: string; status?: string; reason?: string }
type Result = { data?: { jobEvents: Event } }

let fleet: Fleet
let worker: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end('ok') })
  worker = await fleet.start('all')
  clients = await clientsOf(worker)
})
afterAll(() => fleet.close())

const eventsOf = (stream: EventStream) =>
  stream.results().flatMap((result) => (result as Result).data?.jobEvents ?? [])
const line = ({ cursor, jobId, status, reason }: Event) => `${cursor} ${jobId} ${status} ${reason}`

/** Posts jobs, a few at a time, until it is stopped. */
function posting() {
  let going = true
  const run = async () => {
    while (going) await Promise.all(Array.from({ length: 10 }, () => clients.tenant.postJob({ a: 1 })))
  }
  const running = run()
  return {
    stop() {
      going = false
      return running
    },
  }
}

const isDeliveryOf =
  (id: string) =>
  ({ jobId, status }: Event) =>
    jobId === id && status === 'DELIVERED'

/** What happened after a cursor until this job was delivered, as one stream that is never cut tells it. */
async function everythingAfter(after: string, lastJob: string): Promise<string[]> {
  const stream = await openEventStream(worker.origin, { query, variables: { after }, token: clients.token })
  await until(() => eventsOf(stream).some(isDeliveryOf(lastJob)), { what: `delivery of ${lastJob}` })
  stream.close()
  return untilDelivery(eventsOf(stream), lastJob).map(line)
}

/** Jobs that were posted before it may be delivered after it. */
const untilDelivery = (events: Event[], id: string) => events.slice(0, events.findIndex(isDeliveryOf(id)) + 1)

test('a stream that is cut again and again, and goes on at another instance each time, misses nothing and repeats nothing', async () => {
  const gateways = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  const probe = await openEventStream(worker.origin, { query, token: clients.token })
  await until(() => probe.lastId(), { what: 'a cursor' })
  const begin = probe.lastId() as string
  probe.close()
  const load = posting()
  const got: string[] = []
  let lastEventId = begin
  for (let cut = 0; cut < 12; cut++) {
    const { origin } = gateways[cut % 2] as GanchoProcess
    const stream = await openEventStream(origin, { query, lastEventId, token: clients.token })
    await until(() => eventsOf(stream).length > 15, { what: `events before cut ${cut}` })
    stream.close()
    // As a browser does: what came whole, counts.
    got.push(...eventsOf(stream).map(line))
    lastEventId = stream.lastId() as string
  }
  await load.stop()
  const whole = await everythingAfter(begin, await clients.tenant.postJob({ last: true }))
  expect(got.length).toBeGreaterThan(12 * 15)
  expect(got).toEqual(whole.slice(0, got.length))
})

test('a stop sends streams of both kinds to another instance, where they miss nothing', async () => {
  const [leaving, staying] = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  const load = posting()
  const stream = await openEventStream(leaving.origin, { query, token: clients.token })

  const fromSocket: Event[] = []
  let url = socketUrl(leaving.origin)
  let after: string | undefined
  const client = createClient({
    url: () => url,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${clients.token}` },
    retryAttempts: 0,
  })
  const subscribe = () =>
    new Promise<void>((resolve, reject) => {
      const next = ({ data }: { data?: { jobEvents: Event } | null }) => {
        if (!data) return
        fromSocket.push(data.jobEvents)
        after = data.jobEvents.cursor
      }
      client.subscribe<{ jobEvents: Event }>(
        { query, variables: { after } },
        { next, error: reject, complete: resolve },
      )
    })
  const first = expect(subscribe()).rejects.toMatchObject({ code: 1001, reason: 'SHUTTING_DOWN' })
  await until(() => fromSocket.length > 20 && eventsOf(stream).length > 20, { what: 'events on both' })
  const stopped = leaving.stop()
  await stream.ended
  await first
  expect(await stopped).toBe(0)

  url = socketUrl(staying.origin)
  void subscribe()
  const { cursor, retry } = endingOf(stream)
  expect([stream.lastId(), (retry ?? 0) >= 1_000]).toEqual([cursor, true])
  const resumed = await openEventStream(staying.origin, { query, lastEventId: cursor, token: clients.token })
  await load.stop()
  const last = await clients.tenant.postJob({ last: true })
  const fromStream = () => [...eventsOf(stream), ...eventsOf(resumed)]
  await until(() => [fromStream(), fromSocket].every((events) => events.some(isDeliveryOf(last))), {
    what: 'the last job on both',
  })
  for (const [first, ...later] of [fromStream(), fromSocket].map((events) => untilDelivery(events, last)))
    expect(later.map(line)).toEqual(await everythingAfter(first?.cursor as string, last))
  resumed.close()
  await client.dispose()
})

test('a WebSocket client that is cut off before its first message knows where it began, and misses nothing', async () => {
  const gateway = await fleet.start('gateway', { STREAM_KEEP_ALIVE_MS: '600000' })
  const cut = await openSocket(gateway.origin, { token: clients.token })
  cut.subscribe('a', query)
  const [opening] = await cut.until('ping')
  await gateway.kill9()
  const missed = await clients.tenant.postJob({ a: 1 })
  const { cursors } = (opening as { payload: { cursors: { a: string } } }).payload
  const resumed = await openSocket(worker.origin, { token: clients.token })
  resumed.subscribe('b', query, { after: cursors.a })
  // Of jobs that were posted before, something may happen in between.
  const isMissed = ({ payload }: { payload?: unknown }) => {
    const { jobId, status } = (payload as Result).data?.jobEvents ?? {}
    return jobId === missed && status === 'RECEIVED'
  }
  await until(() => resumed.frames('next').some(isMissed), { what: 'what it missed' })
  resumed.socket.close()
})
