import type { IncomingMessage, ServerResponse } from 'node:http'
import compression from 'compression'
import helmet, { type HelmetOptions } from 'helmet'

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

type Middleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** An event stream that is compressed waits for the compressor's buffer to fill. */
const isCompressible = (request: IncomingMessage, response: ServerResponse) =>
  !String(response.getHeader('content-type') ?? '').startsWith('text/event-stream') &&
  compression.filter(request as never, response as never)

/** Puts security headers and compression in front of a handler; compression has nothing to do for who takes none. */
export function withMiddleware(handle: RequestHandler, helmetOptions: HelmetOptions = {}): RequestHandler {
  const secure: Middleware = helmet(helmetOptions)
  const compress = compression({ filter: isCompressible as never }) as unknown as Middleware
  return (request, response) => {
    secure(request, response, (error) => {
      if (error) throw error
      if (request.headers['accept-encoding'] === undefined) {
        response.appendHeader('vary', 'Accept-Encoding')
        handle(request, response)
      } else compress(request, response, () => handle(request, response))
    })
  }
}
