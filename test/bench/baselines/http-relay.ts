// The least that a synchronous answer to an asynchronous callback can cost over HTTP, in one process and without any store:
// `POST /wait/:id` is answered when `POST /callback/:id` comes.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

const waiting = new Map<string, ServerResponse>()

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
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
  waiting.get(id)?.setHeader('content-type', 'application/json').end(body)
  waiting.delete(id)
  response.statusCode = 202
  response.end()
}

const server = createServer((request, response) => void handle(request, response))
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
