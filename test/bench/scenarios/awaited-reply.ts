import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { request } from 'undici'
import { clientsOf } from '../../support/fleet.ts'
import type { GanchoProcess } from '../../support/gancho.ts'
import { rates, startAwaitedLoad, type Waitable } from '../harness/awaited-load.ts'
import { type Child, startBaseline } from '../harness/child.ts'
import { measuredFleet, startBenchRedis } from '../harness/redis.ts'
import type { Checkout, Contestant, MedianOf, Scenario, ScenarioOptions } from '../harness/scenario.ts'

const jsonHeaders = { 'content-type': 'application/json' }

const names = {
  same: 'Gancho, callback on the same instance',
  across: 'Gancho, callback on the other instance',
  http: 'HTTP alone',
  relay: 'HTTP and a bare publish, across',
  publish: 'Redis publish to message',
  bullmq: 'BullMQ waitUntilFinished',
}

/** What Gancho adds to the two HTTP requests that every contestant but the bare publish makes, in publishes. */
const added = (name: string, perSecond: number) => (median: MedianOf) => {
  const p50 = (of: string) => median(of, `p50At${perSecond}`)
  return (p50(name) - p50(names.http)) / p50(names.publish)
}

const goalsOf = (title: string, name: string) =>
  rates.map((perSecond) => ({
    title: `${title}, ${perSecond}/s: what it adds to HTTP ÷ publish`,
    ratio: added(name, perSecond),
    atMost: 3,
  }))

export const awaitedReply: Scenario = {
  name: 'awaited-reply',
  title: 'Awaited reply: from the callback to the caller’s answer, 500 waits in flight',
  figures: [
    ...rates.map((at) => ({ name: `p50At${at}`, title: `median at ${at}/s, ms`, digits: 2 })),
    ...rates.map((at) => ({ name: `p99At${at}`, title: `p99 at ${at}/s, ms`, digits: 1 })),
  ],
  goals: [...goalsOf('same instance', names.same), ...goalsOf('other instance', names.across)],
  open,
}

async function open({ checkouts, profiled }: ScenarioOptions): Promise<Contestant[]> {
  const upstream = await startUpstream()
  const ganchos = await Promise.all(checkouts.map((checkout) => startGateways(checkout, upstream, profiled)))
  const redis = await startBenchRedis()
  const { url } = redis
  const relay = await startBaseline('http-relay.ts')
  const caller = await startBaseline('publish-relay.ts', [url, 'wait'])
  const calledBack = await startBaseline('publish-relay.ts', [url, 'callback'])
  const bullmq = await startBaseline('bullmq-wait.ts', [url])
  const load = await startAwaitedLoad(url)
  const contestant = (name: string, system: Waitable, baseline = true): Contestant => ({
    ...{ name, baseline, close: async () => {} },
    measure: () => load.measure(system),
  })
  const close = async () => {
    await Promise.all([load, relay, caller, calledBack, bullmq].map((child) => child.close()))
    await Promise.all(ganchos.map((one) => one.close()))
    await upstream.close()
    await redis.stop()
  }
  const measured = ganchos.flatMap(({ suffix, same, across }) => [
    contestant(names.same + suffix, same, false),
    contestant(names.across + suffix, across, false),
  ])
  return [
    { ...contestant(names.http, relayWaits(relay)), close },
    ...measured,
    contestant(names.relay, relayWaits(caller, calledBack)),
    contestant(names.bullmq, relayWaits(bullmq)),
    contestant(names.publish, bareWaits),
  ]
}

/** Two gateways of a checkout over a Redis of their own. */
async function startGateways({ name, url }: Checkout, upstream: Upstream, profiled: Record<string, string>) {
  const fleet = await measuredFleet({ answer: (response) => response.end(), checkout: url })
  const env = {
    ...{ DOMAIN: upstream.origin, APIKEY: 'a-key-for-measurements', TIMEOUT: '120000', LOG_LEVEL: 'error' },
    ...profiled,
  }
  const [here, there] = await Promise.all([fleet.start('gateway', env), fleet.start('gateway', env)])
  const { admin, token } = await clientsOf(here)
  await admin.graphql(
    `mutation { updateTenant(cnpj: "11222333000181", input: { limits: { waitingReplies: 10000 } }) { cnpj } }`,
  )
  return {
    suffix: name === '' ? '' : `, ${name}`,
    same: ganchoWaits({ here, calledBackAt: here, token, upstream }),
    across: ganchoWaits({ here, calledBackAt: there, token, upstream }),
    async close() {
      await Promise.all([here.stop(), there.stop()])
      await fleet.close()
    },
  }
}

type Upstream = Awaited<ReturnType<typeof startUpstream>>

/** The API that Gancho calls: takes every request at once and remembers where it is to be called back. */
async function startUpstream() {
  const asked = new Map<string, (callbackPath: string) => void>()
  let calls = 0
  const server = createServer(async (incoming, response) => {
    const body = (await json(incoming)) as { key?: string }
    response.setHeader('content-type', 'application/json')
    if (incoming.url?.startsWith('/auth')) {
      response.end(JSON.stringify({ access_token: 'token', expires_in: 3_600 }))
      return
    }
    calls += 1
    response.end(JSON.stringify({ id: `call-${calls}` }))
    const callback = new URL(String(incoming.headers['x-callback-url']))
    asked.get(body.key ?? '')?.(callback.pathname)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Resolves with the path to call back when the request with this key has come. */
    async untilAsked(key: string): Promise<string> {
      const path = await new Promise<string>((resolve) => asked.set(key, resolve))
      asked.delete(key)
      return path
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type GanchoDeps = { here: GanchoProcess; calledBackAt: GanchoProcess; token: string; upstream: Upstream }

function ganchoWaits({ here, calledBackAt, token, upstream }: GanchoDeps): Waitable {
  const headers = { ...jsonHeaders, authorization: `Bearer ${token}` }
  return {
    wait: (id) => ({ url: `${here.origin}/new-qrcode`, headers, body: JSON.stringify({ key: id }) }),
    untilReady: async (id) => `${calledBackAt.origin}${await upstream.untilAsked(id)}`,
  }
}

/** The request has come in; with BullMQ, its job is in hand and can be completed. */
function relayWaits(waitsAt: Child, calledBackAt: Child = waitsAt): Waitable {
  const isTaken = async (id: string) => {
    const answer = await request(`${waitsAt.origin}/taken/${id}`, { method: 'POST' })
    return (await answer.body.text()) === 'true'
  }
  return {
    wait: (id) => ({ url: `${waitsAt.origin}/wait/${id}`, headers: jsonHeaders, body: '{}' }),
    async untilReady(id) {
      while (!(await isTaken(id)));
      return `${calledBackAt.origin}/callback/${id}`
    },
  }
}

const bareWaits: Waitable = {
  wait: () => ({ url: '', headers: {}, body: '' }),
  untilReady: async () => '',
}
