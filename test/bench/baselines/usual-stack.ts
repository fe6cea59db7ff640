// What people would write instead: Express with helmet, compression and express.json, tokens in a map, INCR for the number, and a
// BullMQ add for each event. With a destination and a SQLite file, its worker delivers too, 50 at a time by undici, and writes the
// rows that Gancho's history has, one job at a time. Arguments: the address of Redis, then destination and file.
import type { AddressInfo } from 'node:net'
import { type Job as BullJob, Queue, Worker } from 'bullmq'
import compression from 'compression'
import express from 'express'
import helmet from 'helmet'
import { Redis } from 'ioredis'
import { Agent, request } from 'undici'
import { type Delivered, openRows } from './usual-rows.ts'

const [, , redisUrl = '', destination = '', file = ''] = process.argv
const tokens = new Map([['usual-token', '11222333000181']])
const connect = () => new Redis(redisUrl, { maxRetriesPerRequest: null })
const redis = connect()
const queue = new Queue<Omit<Delivered, 'status'>>('usual', { connection: connect() })

const app = express()
app.use(helmet(), compression(), express.json({ limit: '1mb' }))
app.post('/webhook', async (incoming, outgoing) => {
  const cnpj = tokens.get(incoming.get('authorization')?.replace('Bearer ', '') ?? '')
  if (!cnpj) {
    outgoing.status(401).end()
    return
  }
  const n = await redis.incr('usual:seq')
  const data = {
    n,
    cnpj,
    headers: incoming.headers as Record<string, string>,
    body: incoming.body,
    at: Date.now(),
  }
  await queue.add('event', data, { jobId: `ID-${n}`, removeOnComplete: true })
  outgoing.status(202).json({ id: `ID-${n}` })
})

if (destination !== '') {
  const rows = await openRows(file)
  const dispatcher = new Agent({ connections: 64 })
  const deliver = async ({ data }: BullJob<Omit<Delivered, 'status'>>) => {
    const answer = await request(destination, {
      ...{ method: 'POST', dispatcher, body: JSON.stringify(data.body) },
      headers: { 'content-type': 'application/json', 'x-job': `ID-${data.n}` },
    })
    await answer.body.text()
    await rows.write({ ...data, status: answer.statusCode })
  }
  new Worker('usual', deliver, { connection: connect(), concurrency: 50 })
}
const server = app.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
