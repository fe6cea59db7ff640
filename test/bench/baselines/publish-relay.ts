// The least that a synchronous answer to an asynchronous callback can cost where the two reach different processes: as `http-relay.ts`,
// but the callback comes to another process and crosses over as a bare Redis message, which nothing keeps. Arguments: the address of
// Redis, and `callback` for the process that takes callbacks.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'

const [, , url = '', takes] = process.argv
const waiting = new Map<string, ServerResponse>()
const redis = new Redis(url)
const idLength = 36

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
  await redis.publish('relayed', `${id}${body}`)
  response.statusCode = 202
  response.end()
}

if (takes !== 'callback') {
  redis.on('message', (_channel: string, message: string) => {
    const id = message.slice(0, idLength)
    waiting.get(id)?.setHeader('content-type', 'application/json').end(message.slice(idLength))
    waiting.delete(id)
  })
  await redis.subscribe('relayed')
}
const server = createServer((request, response) => void handle(request, response))
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
