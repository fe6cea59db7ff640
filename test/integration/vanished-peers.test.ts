import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OperationStream } from '../../src/graphql/operation-stream.ts'
import { carryEventStream, endingOf } from '../../src/http/event-stream-connection.ts'
import { readUnansweredTries } from '../../src/http/unanswered-tries.ts'
import { findVanishedPeers, type VanishedPeers } from '../../src/http/vanished-peers.ts'
import { until } from '../support/client.ts'
import { fedStream } from '../support/fed-stream.ts'
import {
  missingRemoteHost,
  openRemoteHost,
  type RemoteHost,
  remoteAddresses,
} from '../support/remote-host.ts'

const [stays, goes] = remoteAddresses
const kinds = ['vanishes', 'reads', 'is paused'] as const
type Kind = (typeof kinds)[number]
type Carried = { isOver: boolean; keepAlives: number }

/** Nothing but keep-alives. */
function quietStream(onKeepAlive: () => void): OperationStream {
  const closed = Promise.withResolvers<void>()
  async function* batches() {
    await closed.promise
    yield* []
  }
  return {
    batches: batches(),
    broken: new AbortController().signal,
    cursor() {
      onKeepAlive()
      return 'c'
    },
    close: closed.resolve,
  }
}

const large = { messages: [{ json: `"${'x'.repeat(4_000_000)}"`, cursor: 'c' }] }

describe.skipIf(missingRemoteHost)('peers beyond a network', () => {
  let remote: RemoteHost
  let peers: VanishedPeers
  const carried = new Map<string, Carried>()
  const server = createServer(async (request, response) => {
    const one: Carried = { isOver: false, keepAlives: 0 }
    carried.set(`${request.socket.remoteAddress} ${request.socket.remotePort}`, one)
    // The one that is paused comes after the one that reads.
    const isPaused = carried.size === kinds.indexOf('is paused') + 1
    const stream = isPaused ? fedStream(() => large) : quietStream(() => one.keepAlives++)
    const options = { keepAliveMs: 50, stallMs: 60_000, vanishedPeers: peers }
    await carryEventStream(response, stream, endingOf(response).signal, 'r', options)
    one.isOver = true
  })
  beforeAll(async () => {
    remote = openRemoteHost()
    const log = pino({ level: 'silent' })
    peers = findVanishedPeers({ unanswered: readUnansweredTries, log, everyMs: 100, afterMs: 1_500 })
    server.listen(0, remote.here)
    await once(server, 'listening')
  })
  afterAll(async () => {
    await remote?.close()
    await peers?.stop()
    server.closeAllConnections()
    server.close()
  })

  async function connect(kind: Kind): Promise<Carried> {
    const before = new Set(carried.values())
    const { port } = server.address() as AddressInfo
    remote.connect(port, kind === 'vanishes' ? goes : stays, kind === 'is paused' ? 'paused' : 'reading')
    return until(() => [...carried.values()].find((one) => !before.has(one)), { what: `one that ${kind}` })
  }

  test('one that vanishes with something on its way is found and cut, and no one that reads, or that does not', async () => {
    const vanishes = await connect('vanishes')
    const reads = await connect('reads')
    const paused = await connect('is paused')
    await until(() => vanishes.keepAlives > 5 && reads.keepAlives > 5, { what: 'keep-alives' })
    remote.vanish(goes)
    const keepAlives = reads.keepAlives
    await until(() => vanishes.isOver, { what: 'the end of the one that vanished' })
    // It took longer than anybody is given who does not answer.
    await until(() => reads.keepAlives > keepAlives + 50, { what: 'keep-alives for the one that reads' })
    expect([reads.isOver, paused.isOver]).toEqual([false, false])
  })
})
