import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { OpenOperation } from '../graphql/operation-stream.ts'
import type { PersistedDocuments } from '../graphql/persisted-documents.ts'
import type { StreamReport } from '../graphql/stream-report.ts'
import { type EventStreamHandler, eventStreamHandler, type GraphqlFetch } from '../http/event-stream.ts'
import { type OpenStreams, openStreams } from '../http/open-streams.ts'
import { readUnansweredTries } from '../http/unanswered-tries.ts'
import { findVanishedPeers } from '../http/vanished-peers.ts'
import { type UpgradeHandler, webSocketUpgrades } from '../http/websocket.ts'
import { type Core, placeLeaseMs } from './core.ts'

type Deps = {
  config: Config
  core: Core
  log: Logger
  openOperation: OpenOperation
  documents: PersistedDocuments
  fetch: GraphqlFetch
  maxBodyBytes: number
  report: StreamReport
}

export type Streaming = {
  streams: OpenStreams
  eventStreams: EventStreamHandler
  upgrade: UpgradeHandler
}

const maxOperationsPerSocket = 50
const initTimeoutMs = 3_000
/** How often leases and tickets are renewed within their lives. */
const renewals = 4

/** What keeps connections open to send results: event streams and sockets, and what bounds them. */
export function createStreams(deps: Deps): Streaming {
  const { config, core, log, openOperation, documents, fetch, maxBodyBytes, report } = deps
  const { identities, streamPlaces: places, streamTickets: tickets } = core
  const ticketMs = config.STREAM_TICKET_TTL_SECONDS * 1_000
  const streams = openStreams({
    ...{ identities, places, tickets, log },
    max: config.MAX_STREAMS,
    renewMs: Math.min(placeLeaseMs, ticketMs) / renewals,
  })
  core.onTenantChange(streams.tenantChanged)
  const vanishedPeers = findVanishedPeers({ unanswered: readUnansweredTries, log })
  const drain = async (withinMs: number) => {
    await streams.drain(withinMs)
    await vanishedPeers.stop()
  }
  const bounds = { keepAliveMs: config.STREAM_KEEP_ALIVE_MS, stallMs: config.STREAM_STALL_MS }
  const eventStreams = eventStreamHandler({
    ...{ identities, tickets, streams, openOperation, documents, fetch, maxBodyBytes, report, log },
    ...{ ...bounds, vanishedPeers, maxMessageBytes: config.MAX_MESSAGE_BYTES },
  })
  const upgrade = webSocketUpgrades({
    ...{ identities, streams, openOperation, documents, report, log },
    ...bounds,
    ...{ initTimeoutMs, maxOperations: maxOperationsPerSocket },
    maxMessageBytes: config.MAX_MESSAGE_BYTES,
    maxSockets: config.MAX_STREAMS,
    allowedOrigins: config.ALLOWED_ORIGINS,
  })
  return { streams: { ...streams, drain }, eventStreams, upgrade }
}
