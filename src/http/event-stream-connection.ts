import type { ServerResponse } from 'node:http'
import type { GanchoError } from '../errors.ts'
import type { OperationStream } from '../graphql/operation-stream.ts'
import {
  batchFrames,
  completeFrame,
  endingJson,
  errorFrames,
  keepAliveFrame,
  openingFrame,
} from './event-stream-frames.ts'
import { type Ending, type Outlet, pump } from './pump.ts'
import type { VanishedPeers } from './vanished-peers.ts'

export type EventStreamOptions = {
  /** After which silence a stream gets its current cursor at the latest. */
  keepAliveMs: number
  /** How long what was sent may stay unread. */
  stallMs: number
  /** How long the last words may take to a client that does not read; 2 s unless given. */
  lastWordsMs?: number
  vanishedPeers: Pick<VanishedPeers, 'watch'>
}

const usualLastWordsMs = 2_000
/** Browsers come back at different times, so that they do not come all at once. */
const retryMs = () => Math.round(1_000 + Math.random() * 2_000)

/** Streams that were told the same a moment ago are silent for different times, so that they do not all get theirs at once. */
const silenceMs = (longest: number) => Math.round(longest * (0.8 + 0.2 * Math.random()))

/** No proxy on the way keeps, compresses or holds back what is sent. */
export function beginEventStream(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
  response.flushHeaders()
}

/** Carries one stream as an answer; resolves with its ending, when the last of it is written. `ended` as `pump` takes it. */
export async function carryEventStream(
  response: ServerResponse,
  stream: OperationStream,
  ended: AbortSignal,
  requestId: string,
  { keepAliveMs, stallMs, lastWordsMs, vanishedPeers }: EventStreamOptions,
): Promise<Ending> {
  beginEventStream(response)
  // No probes of TCP: the system sends those of many streams at once, loses most of them where it keeps 1,000 packets for itself
  // (net.core.netdev_max_backlog), and takes peers that live for gone. What keeps the stream alive is answered by their systems too.
  const stopWatching = response.socket ? vanishedPeers.watch(response.socket) : undefined
  response.write(openingFrame(retryMs(), stream.cursor()))
  const keepAlive = setInterval(() => {
    if (!response.writableNeedDrain) response.write(keepAliveFrame(stream.cursor()))
  }, silenceMs(keepAliveMs))
  const outlet: Outlet = {
    write(batch) {
      keepAlive.refresh()
      return response.write(batchFrames(batch))
    },
    onceDrained(call) {
      response.once('drain', call)
      return () => response.off('drain', call)
    },
  }
  const ending = await pump({ stream, outlet, stallMs, ended })
  clearInterval(keepAlive)
  stopWatching?.()
  endEventStream(response, ending, requestId, lastWordsMs)
  return ending
}

/** Says the last words and ends the answer, also for a client that does not listen. */
export function endEventStream(
  response: ServerResponse,
  { error, cursor }: Ending,
  requestId: string,
  lastWordsMs = usualLastWordsMs,
): void {
  if (response.destroyed) return
  const retry = error?.status === 503 ? retryMs() : undefined
  response.end(error ? errorFrames(endingJson(error, requestId, cursor), cursor, retry) : completeFrame)
  const cut = setTimeout(() => response.destroy(), lastWordsMs)
  response.once('close', () => clearTimeout(cut))
}

/** What an ended connection means for its stream: there is nobody to tell. */
export function endingOf(response: ServerResponse): AbortController {
  const ending = new AbortController()
  response.once('close', () => ending.abort(null))
  if (response.destroyed) ending.abort(null)
  return ending
}

export const isPassing = (error: GanchoError) => error.status === 503 || error.status === 429
