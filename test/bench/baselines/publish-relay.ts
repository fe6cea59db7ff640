// The least that a synchronous answer to an asynchronous callback can cost where the two reach different processes: as `http-relay.ts`,
// but the callback comes to another process and crosses over as a bare Redis message, which nothing keeps. Arguments: the address of
// Redis, and `callback` for the process that takes callbacks.
import { Redis } from 'ioredis'
import { serveRelay } from './relay-server.ts'

const [, , url = '', takes] = process.argv
const redis = new Redis(url)
const idLength = 36

let answer: ReturnType<typeof serveRelay> | undefined
if (takes !== 'callback') {
  redis.on('message', (_channel: string, message: string) =>
    answer?.(message.slice(0, idLength), message.slice(idLength)),
  )
  await redis.subscribe('relayed')
}
answer = serveRelay((id, body) => redis.publish('relayed', `${id}${body}`))
