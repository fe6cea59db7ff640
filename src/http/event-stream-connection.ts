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
  /** After which silence a stream gets its current cursor. */
  keepAliveMs: number
  /** How long what was sent may stay unread. */
  stallMs: number
  vanishedPeers: Pick<VanishedPeers, 'watch'>
}

/** How long the last words may take to a client that does not read. */
const lastWordsMs = 2_000
/** A client of an event stream answers nothing, but its system does. These are for silent connections; `VanishedPeers` has the others. */
const probes = { afterMs: 5_000, everyMs: 1_000, count: 5 }
/** Browsers come back at different times, so that they do not come all at once. */
const retryMs = () => Math.round(1_000 + Math.random() * 2_000)

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
  { keepAliveMs, stallMs, vanishedPeers }: EventStreamOptions,
): Promise<Ending> {
  beginEventStream(response)
  response.socket?.setKeepAlive(true, probes.afterMs, probes.everyMs, probes.count)
  const stopWatching = response.socket ? vanishedPeers.watch(response.socket) : undefined
  response.write(openingFrame(retryMs(), stream.cursor()))
  const keepAlive = setInterval(() => {
    if (!response.writableNeedDrain) response.write(keepAliveFrame(stream.cursor()))
  }, keepAliveMs)
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
  endEventStream(response, ending, requestId)
  return ending
}

/** Says the last words and ends the answer, also for a client that does not listen. */
export function endEventStream(response: ServerResponse, { error, cursor }: Ending, requestId: string): void {
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
