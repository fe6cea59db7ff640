import type { IncomingMessage } from 'node:http'
import { GanchoError } from '../errors.ts'

/**
 * Reads the body, and stops at the limit instead of filling memory.
 * @throws GanchoError BODY_TOO_LARGE, BAD_REQUEST when the sender breaks off
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > maxBytes) return Promise.reject(tooLarge(maxBytes))
  // What broke off while the sender was looked up has no event left to tell of it.
  if (request.destroyed) return Promise.reject(brokenOff(request.errored))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= maxBytes) {
        chunks.push(chunk)
        return
      }
      request.pause()
      request.removeAllListeners('data')
      reject(tooLarge(maxBytes))
    })
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    request.on('error', (cause) => reject(brokenOff(cause)))
  })
}

const tooLarge = (maxBytes: number) =>
  new GanchoError('BODY_TOO_LARGE', `The body may have at most ${maxBytes} bytes.`)

const brokenOff = (cause: unknown) => new GanchoError('BAD_REQUEST', 'The body broke off.', { cause })
