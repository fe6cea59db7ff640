import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { carryEventStream, endingOf } from '../../src/http/event-stream-connection.ts'
import { until } from '../support/client.ts'
import { fedStream } from '../support/fed-stream.ts'

/** The kernel's timer of an established connection that sends probes, see proc_net_tcp(5). */
const probing = '02'

const over = Promise.withResolvers<void>()
async function* nothing() {
  await over.promise
  yield* []
}

let accepted: Socket
const server = createServer((request, response) => {
  accepted = request.socket
  const options = { keepAliveMs: 60_000, stallMs: 60_000, vanishedPeers: { watch: () => () => undefined } }
  const stream = { ...fedStream(() => null), batches: nothing() }
  return carryEventStream(response, stream, endingOf(response).signal, 'r', options)
})
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  over.resolve()
  server.closeAllConnections()
  server.close()
})

const hexPort = (port: number | undefined) => Number(port).toString(16).toUpperCase().padStart(4, '0')

/** `tr` of this end of a connection: which of its timers runs. */
function timerOf({ localPort, remotePort }: Socket): string | undefined {
  const ends = `:${hexPort(localPort)} \\w+:${hexPort(remotePort)} 01 \\S+ (\\w\\w):`
  return new RegExp(ends).exec(readFileSync('/proc/net/tcp', 'latin1'))?.[1]
}

test.skipIf(process.platform !== 'linux')(
  'a quiet event stream has the system send no probes, which are lost by the thousand and then cut who lives',
  async () => {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    let got = ''
    client.on('data', (chunk) => {
      got += chunk
    })
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await until(() => got.includes('retry:'), { what: 'the stream' })
    // Another of its timers may run for a moment: that of the answer to the request, or of what was sent.
    await until(() => ['00', probing].includes(timerOf(accepted) ?? ''), { what: 'no more on its way' })
    expect(timerOf(accepted)).not.toBe(probing)
    accepted.setKeepAlive(true, 5_000)
    await until(() => timerOf(accepted) === probing, { what: 'probes where they are asked for' })
    client.destroy()
  },
)
