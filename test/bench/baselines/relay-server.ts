import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/**
 * `POST /wait/:id` is kept until it is answered; `POST /callback/:id` is passed on, and then answered. Tells its parent the port.
 * @returns what answers a wait
 */
export function serveRelay(passOn: (id: string, body: string) => unknown) {
  const waiting = new Map<string, ServerResponse>()
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request)
    const [, what, id = ''] = (request.url ?? '').split('/')
    if (what === 'wait') {
      waiting.set(id, response)
      return
    }
    if (what === 'taken') {
      response.end(String(waiting.has(id)))
      return
    }
    await passOn(id, body)
    response.statusCode = 202
    response.end()
  }
  const server = createServer((request, response) => void handle(request, response))
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('disconnect', () => process.exit(0))
  return (id: string, body: string) => {
    waiting.get(id)?.setHeader('content-type', 'application/json').end(body)
    waiting.delete(id)
  }
}
