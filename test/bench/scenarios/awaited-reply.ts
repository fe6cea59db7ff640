import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import { Agent, request } from 'undici'
import { clientOf } from '../../support/client.ts'
import { type Fleet, openFleet } from '../../support/fleet.ts'
import type { GanchoProcess } from '../../support/gancho.ts'
import { type Child, startBaseline } from '../harness/child.ts'
import { measureWaits, type Wait, type Waiting } from '../harness/paced-waits.ts'
import type { Contestant, MedianOf, Scenario } from '../harness/scenario.ts'

const load = { inFlight: 500, callbacks: 1_000, blocks: 4, everyMs: 4 }
const reply = JSON.stringify({
  status: 'PAID',
  amount: 1990,
  at: '2026-01-01T00:00:00Z',
  note: 'x'.repeat(200),
})
const jsonHeaders = { 'content-type': 'application/json' }

const names = {
  same: 'Gancho, callback on the same instance',
  across: 'Gancho, callback on the other instance',
  http: 'HTTP alone',
  publish: 'Redis publish to message',
  bullmq: 'BullMQ waitUntilFinished',
}

/** What Gancho adds to the two HTTP requests that every contestant but the bare publish makes. */
const added = (name: string) => (median: MedianOf) =>
  (median(name, 'p50Ms') - median(names.http, 'p50Ms')) / median(names.publish, 'p50Ms')

export const awaitedReply: Scenario = {
  name: 'awaited-reply',
  title: 'Awaited reply: from the callback to the caller’s answer, 500 waits in flight, 250 callbacks/s',
  figures: [
    { name: 'p50Ms', title: 'median, ms', digits: 2 },
    { name: 'p99Ms', title: 'p99, ms', digits: 2 },
  ],
  goals: [
    { title: 'same instance: what it adds to HTTP ÷ publish', ratio: added(names.same), atMost: 3 },
    { title: 'other instance: what it adds to HTTP ÷ publish', ratio: added(names.across), atMost: 3 },
  ],
  open,
}

async function open(): Promise<Contestant[]> {
  const fleet = await openFleet({ answer: () => ({ status: 200 }) })
  const upstream = await startUpstream()
  const env = {
    DOMAIN: upstream.origin,
    APIKEY: 'a-key-for-measurements',
    TIMEOUT: '120000',
    LOG_LEVEL: 'error',
  }
  const [here, there] = await Promise.all([fleet.start('gateway', env), fleet.start('gateway', env)])
  const token = await clientOf(here).newTenant()
  const relay = await startBaseline('http-relay.ts')
  const bullmq = await startBaseline('bullmq-wait.ts', [fleet.redis.url])
  const agent = new Agent({ connections: 2_000, pipelining: 1 })
  const contestant = (
    name: string,
    waiting: Waiting,
    close: () => Promise<void> = async () => {},
  ): Contestant => ({
    name,
    baseline: name !== names.same && name !== names.across,
    measure: () => measureWaits(waiting, load),
    close,
  })
  const closeAll = async () => {
    await agent.destroy()
    await upstream.close()
    await fleet.close()
  }
  return [
    contestant(names.same, ganchoWaits({ here, calledBackAt: here, token, upstream, agent }), closeAll),
    contestant(names.across, ganchoWaits({ here, calledBackAt: there, token, upstream, agent })),
    contestant(names.http, relayWaits(relay, agent), relay.close),
    contestant(names.bullmq, relayWaits(bullmq, agent), bullmq.close),
    publishContestant(fleet, contestant),
  ]
}

type Upstream = Awaited<ReturnType<typeof startUpstream>>

/** The API that Gancho calls: takes every request at once and remembers where it is to be called back. */
async function startUpstream() {
  const asked = new Map<string, (callbackPath: string) => void>()
  const server = createServer(async (incoming, response) => {
    const body = (await json(incoming)) as { key?: string }
    response.setHeader('content-type', 'application/json')
    if (incoming.url?.startsWith('/auth')) {
      response.end(JSON.stringify({ access_token: 'token', expires_in: 3_600 }))
      return
    }
    response.end(JSON.stringify({ id: randomUUID() }))
    const callback = new URL(String(incoming.headers['x-callback-url']))
    asked.get(body.key ?? '')?.(callback.pathname)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Resolves with the path to call back when the request with this key has come. */
    untilAsked(key: string): Promise<string> {
      return new Promise((resolve) => asked.set(key, resolve)).finally(() =>
        asked.delete(key),
      ) as Promise<string>
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type GanchoDeps = {
  here: GanchoProcess
  calledBackAt: GanchoProcess
  token: string
  upstream: Upstream
  agent: Agent
}

function ganchoWaits({ here, calledBackAt, token, upstream, agent }: GanchoDeps): Waiting {
  const paths = new Map<string, string>()
  const headers = { ...jsonHeaders, authorization: `Bearer ${token}` }
  return {
    begin() {
      const id = randomUUID()
      const ready = upstream.untilAsked(id).then((path) => paths.set(id, path))
      const answered = post(`${here.origin}/new-qrcode`, headers, JSON.stringify({ key: id }), agent)
      return { id, ready, answered }
    },
    async callBack(id) {
      const path = paths.get(id)
      paths.delete(id)
      await post(`${calledBackAt.origin}${path}`, jsonHeaders, reply, agent)
    },
  }
}

async function post(
  url: string,
  headers: Record<string, string>,
  body: string,
  dispatcher: Agent,
): Promise<string> {
  const answer = await request(url, {
    method: 'POST',
    headers,
    body,
    dispatcher,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) throw new Error(`${url} answered ${answer.statusCode} ${text}`)
  return text
}

/** The request has come in; with BullMQ, its job is in hand and can be completed. */
const untilTaken =
  ({ origin }: Child, agent: Agent) =>
  async (id: string) => {
    while ((await post(`${origin}/taken/${id}`, {}, '', agent)) !== 'true');
  }

function relayWaits(child: Child, agent: Agent): Waiting {
  const { origin } = child
  const untilReady = untilTaken(child, agent)
  const waitOf = (id: string): Wait => {
    const answered = post(`${origin}/wait/${id}`, jsonHeaders, '{}', agent)
    return { id, ready: untilReady(id), answered }
  }
  return {
    begin: () => waitOf(randomUUID()),
    callBack: (id) => post(`${origin}/callback/${id}`, jsonHeaders, reply, agent),
  }
}

function publishContestant(
  { redis }: Fleet,
  contestant: (name: string, waiting: Waiting, close: () => Promise<void>) => Contestant,
): Contestant {
  const publisher = new Redis(redis.url)
  const subscriber = new Redis(redis.url)
  const told = new Map<string, () => void>()
  subscriber.on('message', (_channel: string, message: string) => told.get(message.slice(0, 36))?.())
  const subscribed = subscriber.subscribe('replies')
  const waiting: Waiting = {
    begin() {
      const id = randomUUID()
      const answered = new Promise<void>((resolve) => told.set(id, resolve)).finally(() => told.delete(id))
      return { id, ready: subscribed, answered }
    },
    callBack: (id) => publisher.publish('replies', `${id}${reply}`),
  }
  const close = async () => {
    publisher.disconnect()
    subscriber.disconnect()
  }
  return contestant(names.publish, waiting, close)
}
