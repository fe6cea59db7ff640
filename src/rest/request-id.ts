import type { IncomingMessage } from 'node:http'
import { flatUuid } from '../events/flat-uuid.ts'

const usable = /^[\w.:-]{1,64}$/

/** The id that a proxy gave this request in `X-Request-Id`, or a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && usable.test(given) ? given : flatUuid()
}
