import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingCaddy, startCaddy } from '../support/caddy.ts'
import { type Answered, clientOf, until } from '../support/client.ts'
import { openEventStream } from '../support/event-stream.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'
import { freePort } from '../support/free-port.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { openSocket } from '../support/graphql-socket.ts'
import { refusalsWithRedis, startLoad } from '../support/load.ts'
import { samplesOf } from '../support/metrics.ts'

const query = 'subscription { jobEvents { ... on JobStatusChanged { jobId status } } }'

describe.skipIf(missingCaddy)('behind the proxy of docker-compose.yml', () => {
  let fleet: Fleet
  let gateways: GanchoProcess[]
  let proxy: Awaited<ReturnType<typeof startCaddy>>
  let token: string

  beforeAll(async () => {
    const env = {
      TRUSTED_PROXIES: '127.0.0.1/32',
      MAX_BODY_BYTES: '100000',
      // Time for the proxy to see it, and for a machine that holds it up meanwhile.
      SHUTDOWN_DELAY_MS: '8000',
    }
    fleet = await openFleet({ answer: (response) => response.end(), env })
    const worker = fleet.start('worker')
    const port = await freePort()
    gateways = await Promise.all([fleet.start('gateway', { PORT: `${port}` }), fleet.start('gateway')])
    await worker
    proxy = await startCaddy(gateways)
    token = await clientOf(proxy).newTenant()
  })
  afterAll(async () => {
    await proxy?.close()
    await fleet.close()
  })

  /** Streams that both gateways count together. */
  const openStreams = async (transport: string) => {
    const samples = await Promise.all(gateways.map((gateway) => samplesOf(gateway)))
    return samples.reduce(
      (sum, one) => sum + (one.get(`gancho_streams_open{transport="${transport}"}`) ?? 0),
      0,
    )
  }

  test('event streams come as they are sent, and end at the gateway when their reader leaves', async () => {
    const stream = await openEventStream(proxy.origin, { query, token })
    await until(() => stream.messages.length > 0, {
      what: 'the first message of a stream on which nothing has happened',
    })
    const id = await clientOf(proxy, token).postJob({ live: true })
    const delivered = { data: { jobEvents: { jobId: id, status: 'DELIVERED' } } }
    await expect.poll(() => stream.results()).toContainEqual(delivered)
    expect(await openStreams('sse')).toBe(1)
    stream.close()
    await until(async () => (await openStreams('sse')) === 0, {
      what: 'the gateway knows that the reader left',
    })
  })

  test('WebSockets are passed on', async () => {
    const socket = await openSocket(proxy.origin, { token })
    socket.subscribe('1', query)
    await until(async () => (await openStreams('websocket')) === 1, { what: 'a subscription' })
    const id = await clientOf(proxy, token).postJob({ live: true })
    await until(() => socket.texts.some((text) => text.includes(id) && text.includes('DELIVERED')), {
      what: id,
    })
    socket.socket.terminate()
    await until(async () => (await openStreams('websocket')) === 0, {
      what: 'the gateway knows that the reader left',
    })
  })

  test('a body that is too large is refused in words of Gancho, and metrics are not shown', async () => {
    const refused = await clientOf(proxy, token).post('x'.repeat(200_000), { 'content-type': 'text/plain' })
    expect(refused).toMatchObject({ status: 413, body: { error: { code: 'BODY_TOO_LARGE' } } })
    expect((await fetch(`${proxy.origin}/metrics`)).status).toBe(404)
  })

  test('a gateway that stops and one that takes its place refuse nothing', async () => {
    const load = startLoad(clientOf(proxy, token), 4)
    await until(() => load.accepted.size > 100, { what: 'load' })
    const [first, other] = gateways as [GanchoProcess, GanchoProcess]
    expect(await first.stop()).toBe(0)
    const alone = load.accepted.size
    await until(() => load.accepted.size > alone + 100, { what: 'load on the other one' })
    await fleet.start('gateway', { PORT: new URL(first.origin).port })
    const again = load.accepted.size
    await until(() => load.accepted.size > again + 100, { what: 'load on both' })
    await load.stop()
    // Of a gateway that has Redis slow for long, as on a busy machine, the proxy says so in its log, and refuses itself where none is left.
    const isOtherOut = proxy.log().includes(`"host":"${new URL(other.origin).host}"`)
    const isByProxy = ({ body }: Answered) => Object.keys(body).length === 0
    const refused = refusalsWithRedis(load).filter(({ answered }) => !(isOtherOut && isByProxy(answered)))
    expect(refused, proxy.log()).toEqual([])
    expect(load.unanswered).toEqual([])
  })
})
