// A synchronous answer to an asynchronous callback as one would build it on BullMQ alone: `POST /wait/:id` adds a job, takes it, and
// waits with `waitUntilFinished`; `POST /callback/:id` completes it with the body as its return value. The address of Redis is the
// first argument.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Job, Queue, QueueEvents, Worker } from 'bullmq'
import { Redis } from 'ioredis'

const url = process.argv[2] ?? ''
const connect = () => new Redis(url, { maxRetriesPerRequest: null })
const name = `wait-${randomUUID()}`
const queue = new Queue(name, { connection: connect() }).setMaxListeners(0)
const events = new QueueEvents(name, { connection: connect() })
const worker = new Worker(name, null, { connection: connect(), lockDuration: 600_000 })
const token = randomUUID()
const inHand = new Map<string, Job>()

async function wait(id: string, response: ServerResponse): Promise<void> {
  const added = await queue.add('wait', { id }, { removeOnComplete: true })
  const finished = added.waitUntilFinished(events)
  const taken = await worker.getNextJob(token)
  if (taken) inHand.set(taken.data.id, taken)
  response.setHeader('content-type', 'application/json').end(await finished)
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request)
  const [, what, id = ''] = (request.url ?? '').split('/')
  if (what === 'wait') return wait(id, response)
  if (what === 'taken') {
    response.end(String(inHand.has(id)))
    return
  }
  await inHand.get(id)?.moveToCompleted(body, token, false)
  inHand.delete(id)
  response.statusCode = 202
  response.end()
}

await Promise.all([events.waitUntilReady(), worker.waitUntilReady()])
const server = createServer((request, response) => void handle(request, response))
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
