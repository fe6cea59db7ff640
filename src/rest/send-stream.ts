import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import { errorAnswer } from './answer.ts'
import type { RouteAnswer } from './route.ts'

type Options = {
  requestId: string
  log: Logger
  /** How long a client may read nothing at all of what was written. */
  stallMs?: number
}

const usualStallMs = 60_000

/**
 * Sends an answer that comes bit by bit, no faster than it is read; once the client is gone, nothing more is asked for. What fails on
 * the way is told in a last line `{"error":…}`, and the answer ends without its end (RFC 9112, section 8), so that nobody takes it for
 * whole.
 */
export async function sendStream(
  response: ServerResponse,
  { status, headers }: Pick<RouteAnswer, 'status' | 'headers'>,
  lines: AsyncIterable<string>,
  { requestId, log, stallMs = usualStallMs }: Options,
): Promise<void> {
  response.statusCode = status
  for (const name in headers) response.setHeader(name, headers[name] ?? '')
  try {
    for await (const line of lines) {
      if (response.destroyed || response.req.method === 'HEAD') break
      if (!response.write(line)) await untilRead(response, stallMs)
    }
    response.end()
  } catch (error) {
    if (response.destroyed) return
    const { body } = errorAnswer(error, requestId, log)
    response.write(`${JSON.stringify(body)}\n`, () => response.destroy())
    await sleep(lastWordsMs, undefined, { ref: false })
    response.destroy()
  }
}

const usualRecheckMs = 3_000

/** The same lines, for as long as `check` throws nothing: it is asked before the first line of every `everyMs`. */
export async function* whileAllowed(
  lines: AsyncIterable<string>,
  check: () => Promise<void>,
  everyMs = usualRecheckMs,
): AsyncGenerator<string> {
  let checkedAt = performance.now()
  for await (const line of lines) {
    if (performance.now() - checkedAt >= everyMs) {
      await check()
      checkedAt = performance.now()
    }
    yield line
  }
}

/** How long the last line may take to a client that does not read. */
const lastWordsMs = 2_000

/** @throws GanchoError SLOW_CONSUMER */
function untilRead(response: ServerResponse, stallMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let written = response.socket?.bytesWritten
  const watch = setInterval(() => {
    const now = response.socket?.bytesWritten
    if (now === written) reject(new GanchoError('SLOW_CONSUMER'))
    written = now
  }, stallMs)
  response.once('drain', resolve).once('close', resolve)
  return promise.finally(() => {
    clearInterval(watch)
    response.off('drain', resolve).off('close', resolve)
  })
}
