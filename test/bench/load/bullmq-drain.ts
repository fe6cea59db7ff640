// BullMQ alone: jobs are added by the thousand, and a worker does nothing with them. The address of Redis is the first argument.
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { eventBody } from '../harness/events.ts'
import { monotonicMs, serveBench } from '../harness/parent.ts'

const together = 1_000
const connect = () => new Redis(process.argv[2] ?? '', { maxRetriesPerRequest: null })
const queue = new Queue('alone', { connection: connect() })

serveBench({
  fill: () => undefined,
  /** Milliseconds until `count` jobs are added and done. */
  async drain(count: number) {
    const startedAt = monotonicMs()
    let done = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    const worker = new Worker(
      'alone',
      async () => {
        done += 1
        if (done === count) resolve()
      },
      { connection: connect(), concurrency: 50 },
    )
    for (let added = 0; added < count; added += together) {
      const jobs = Array.from({ length: together }, () => ({
        ...{ name: 'event', data: { body: eventBody }, opts: { removeOnComplete: true } },
      }))
      await queue.addBulk(jobs)
    }
    await promise
    await worker.close()
    return monotonicMs() - startedAt
  },
})
