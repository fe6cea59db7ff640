import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { DestinationAuth } from '../../src/delivery/destination.ts'
import { deliveryForFile } from '../support/delivery-for-file.ts'
import type { Answer } from '../support/receiver.ts'
import { jobBecomes, scheduledJob } from '../support/scheduled-job.ts'

const { core, receive, deliverTo } = await deliveryForFile()

type Options = Omit<Parameters<typeof deliverTo>[0], 'url'>

async function deliver(answer: Answer, options: Options) {
  let logged = ''
  const write = (chunk: Buffer, _encoding: string, done: () => void) => {
    logged += chunk
    done()
  }
  const log = pino({ level: 'trace' }, new Writable({ write }))
  const receiver = await receive(answer)
  deliverTo({ url: receiver.url, ...options }, log)
  const n = await scheduledJob(core)
  await jobBecomes(core, n, 'DELIVERED')
  const [attempt] = await core.attempts(n)
  return { received: receiver.received[0]?.headers ?? {}, attempt, logged: () => logged }
}
const ok: Answer = (response) => response.end()

test.each<[DestinationAuth, string, string]>([
  [{ kind: 'bearer', token: 'b3arer-s3cret' }, 'authorization', 'Bearer b3arer-s3cret'],
  // The example of RFC 7617, 2, and one that ASCII does not hold.
  [
    { kind: 'basic', username: 'Aladdin', password: 'open sesame' },
    'authorization',
    'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
  ],
  [{ kind: 'basic', username: 'test', password: '123£' }, 'authorization', 'Basic dGVzdDoxMjPCow=='],
  [{ kind: 'header', name: 'X-Acme', value: 'acme-s3cret' }, 'x-acme', 'acme-s3cret'],
])('a destination is shown who Gancho is: %o', async (auth, name, value) => {
  const { received, attempt } = await deliver(ok, { destination: { auth } })
  expect(received[name]).toBe(value)
  expect(attempt?.requestHeaders[name]).toBe('***')
})

test('what authenticates stands above the static headers, and both below what Gancho says', async () => {
  const headers = { Authorization: 'of before', 'x-region': 'south', 'webhook-id': 'mine' }
  const auth: DestinationAuth = { kind: 'bearer', token: 'now' }
  const { received } = await deliver(ok, { destination: { headers, auth } })
  expect(received).toMatchObject({ authorization: 'Bearer now', 'x-region': 'south' })
  expect(received['webhook-id']).toMatch(/_default$/)
})

test('what authenticates cannot stand in for a header of Gancho', async () => {
  const auth: DestinationAuth = { kind: 'header', name: 'x-gancho-job', value: 'ID-0' }
  expect((await deliver(ok, { destination: { auth } })).received['x-gancho-job']).toMatch(/^ID-[1-9]/)
})

test('no secret of a destination is in an attempt, the record, the error queue or the log, not even one that the receiver repeats', async () => {
  const secrets = ['b3arer-s3cret', 'static-s3cret']
  const echo: Answer = (response, { headers }) => {
    const seen = [headers.authorization, headers['x-acme']].join(' ')
    response.writeHead(200, { 'x-echo': [seen, 'plain'], 'x-same': 'same' }).end(`you sent ${seen}`)
  }
  const destination = {
    auth: { kind: 'bearer', token: 'b3arer-s3cret' },
    headers: { 'x-acme': 'static-s3cret' },
  } as const
  const { received, attempt, logged } = await deliver(echo, { destination })
  expect(received).toMatchObject({ authorization: 'Bearer b3arer-s3cret', 'x-acme': 'static-s3cret' })
  expect(attempt).toMatchObject({
    requestHeaders: { authorization: '***', 'x-acme': '***', 'user-agent': 'Gancho' },
    responseHeaders: { 'x-echo': ['*** ***', 'plain'], 'x-same': 'same' },
    responseBody: 'you sent *** ***',
  })
  const everything = JSON.stringify(await everyKey())
  expect(logged()).toContain('delivery attempt')
  expect(everything).toContain('you sent')
  for (const secret of secrets) {
    expect(logged()).not.toContain(secret)
    expect(everything).not.toContain(secret)
  }
})

/** All that Redis holds, as text. */
async function everyKey() {
  const found = await core.redis.keys('*')
  const readers = { string: 'get', hash: 'hgetall' } as const
  type Kind = keyof typeof readers | 'list' | 'stream' | 'zset' | 'set' | 'none'
  return Promise.all(
    found.map(async (key) => {
      const type = (await core.redis.type(key)) as Kind
      // BullMQ lets go of a job a moment after it is delivered.
      if (type === 'none') return null
      if (type === 'list') return core.redis.lrange(key, 0, -1)
      if (type === 'stream') return core.redis.xrange(key, '-', '+')
      if (type === 'zset') return core.redis.zrange(key, 0, '-1')
      if (type === 'set') return core.redis.smembers(key)
      return core.redis[readers[type]](key)
    }),
  )
}

test('a receiver that repeats a secret as JSON tells no more, and headers that hold none stay readable', async () => {
  const token = 'quoted"and\\s3cret'
  const echo: Answer = (response, { headers }) =>
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ key: headers['x-key'], accept: headers.accept }))
  const headers = { accept: 'application/json', 'x-key': token }
  const { attempt } = await deliver(echo, { destination: { headers } })
  expect(attempt).toMatchObject({
    requestHeaders: { accept: 'application/json', 'x-key': '***' },
    responseHeaders: { 'content-type': 'application/json' },
    responseBody: '{"key":"***","accept":"application/json"}',
  })
})

test('a header that cannot be sent is told by its name, not by its value', async () => {
  const receiver = await receive(ok)
  const destination = { auth: { kind: 'header', name: 'x-acme', value: 'two\nlines-s3cret' } as const }
  deliverTo({ url: receiver.url, scheduleSeconds: [], destination })
  const n = await scheduledJob(core)
  await jobBecomes(core, n, 'FAILED')
  const job = await core.job(n)
  expect(job?.failure?.error).toBe('UND_ERR_INVALID_ARG invalid x-acme header')
  expect(JSON.stringify([job, await core.attempts(n)])).not.toContain('s3cret')
})
