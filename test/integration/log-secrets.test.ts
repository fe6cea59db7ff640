import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { adminToken, type GanchoProcess, sharedEnvironment, startGancho } from '../support/gancho.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { alphanumericCnpj } from '../support/tenants.ts'
import { accessToken, apiKey, json, startUpstreamServer } from '../support/upstream-server.ts'

const marker = 'PAYLOAD-NOBODY-MAY-READ'
const secret = 'ENCRYPTION-SECRET-NOBODY-MAY-READ'

let redis: TestRedis
let receiver: Receiver
let upstream: Awaited<ReturnType<typeof startUpstreamServer>>
let shared: ReturnType<typeof sharedEnvironment>
let gancho: GanchoProcess
let data: Redis
let token = ''

beforeAll(async () => {
  redis = await startTestRedis()
  receiver = await startReceiver((response, { body }) => {
    const { how } = JSON.parse(body.toString()) as { how?: string }
    if (how === 'hang') return
    if (how === 'reset') response.socket?.resetAndDestroy()
    // What it answers holds the payload, too.
    else
      response
        .writeHead(Number(how ?? 200), { location: `http://127.0.0.1/${marker}`, echo: marker })
        .end(body)
  })
  upstream = await startUpstreamServer({
    call: (response, { headers, body }) => {
      const { how, id } = JSON.parse(body.toString()) as { how?: string; id?: string }
      // It echoes all that it was sent.
      const sent = JSON.stringify(headers)
      if (how === 'reset') response.socket?.resetAndDestroy()
      else if (how !== 'hang')
        json(
          response,
          Number(how ?? 201),
          { id, sent },
          { 'x-echo': sent, location: headers['x-callback-url'] },
        )
    },
  })
  shared = sharedEnvironment(redis.url, receiver.url)
  const env = {
    DOMAIN: upstream.origin,
    APIKEY: apiKey,
    // Within which a reply comes, also on a busy machine.
    TIMEOUT: '12000',
    ENCRYPTION_SECRET: secret,
    LOG_LEVEL: 'trace',
    RETRY_SCHEDULE_SECONDS: '0',
    ATTEMPT_TIMEOUT_MS: '1000',
  }
  gancho = await startGancho({ env: { ...shared.env, ...env } })
  data = new Redis(redis.url)
  data.on('error', () => undefined)
  token = await clientOf(gancho).newTenant()
})
afterAll(async () => {
  data.disconnect()
  await gancho.kill9()
  await receiver.close()
  await upstream.close()
  await redis.stop()
  await shared.remove()
})

const logged = (text: string, from = 0) =>
  until(() => gancho.output().slice(from).includes(text), { what: `the log says ${text}` })
const event = (how: string) => ({ how, secret: marker })

/** As a log could hold a text: plain, as the bytes of a Buffer, in Base64 or hexadecimal. */
const formsOf = (text: string) => {
  const bytes = Buffer.from(text)
  return [text, bytes.join(','), bytes.toString('base64'), bytes.toString('hex')]
}

describe('with everything logged and everything going wrong', () => {
  test('deliveries fail in every way', async () => {
    const client = clientOf(gancho, token)
    const ids: string[] = []
    for (const how of ['200', '302', '410', '500', 'hang', 'reset'])
      ids.push(await client.postJob(event(how)))
    const over = async () => {
      const statuses = await Promise.all(
        ids.map(
          async (id) =>
            (await client.graphql<{ job: { status: string } }>(`{ job(id: "${id}") { status } }`)).job,
        ),
      )
      return statuses.every(({ status }) => status === 'DELIVERED' || status === 'FAILED')
    }
    await until(over, { what: 'all are over' })
    for (const id of ids) await logged(`"job":"${id}"`)
  })

  test('requests are refused in every way', async () => {
    const client = clientOf(gancho, token)
    const admin = clientOf(gancho)
    const statuses = [
      await client.post(`{"a":"${marker}`),
      await client.post('{}', { 'x-event-type': `with blank ${marker}` }),
      await client.post('a'.repeat(1_100_000) + marker, { 'content-type': 'text/plain' }),
      await client.post({ a: marker }, { 'idempotency-key': 'k' }),
      await client.post({ b: marker }, { 'idempotency-key': 'k' }),
      await client.call('POST', `/nifi/falha/nifi`, { id: 'ID-1', error: marker }),
      await client.call('POST', `/nifi/falha/nifi`, { ids: marker }),
      await client.call('GET', `/admin/clientes?token=${token}`),
      await admin.call('POST', '/admin/clientes', `{"cnpj":"${token}"`),
      await clientOf(gancho, `${token}x`).post({ a: marker }),
    ].map(({ status }) => status)
    expect(statuses).toEqual([400, 400, 413, 202, 422, 202, 400, 403, 400, 401])
    const publish = 'mutation ($payload: JSON) { publishEvent(input: { payload: $payload }) { eventId } }'
    const graphql = (query: string, variables = {}) => client.call('POST', '/graphql', { query, variables })
    expect((await graphql(publish, { payload: marker })).status).toBe(200)
    expect((await graphql(`{ ${marker} "${token}`)).body.errors).toBeDefined()
    expect((await graphql(publish, { payload: { a: marker }, extra: token })).status).toBe(200)
  })

  test('an upstream fails in every way, and its replies too', async () => {
    const client = clientOf(gancho, token)
    const statuses: number[] = []
    for (const how of ['302', '400', '401', '500', 'hang', 'reset', '201'])
      statuses.push((await client.call('POST', '/new-qrcode', { how, secret: marker })).status)
    // At the deadline a busy machine may not hear why in time.
    expect(statuses.filter((status, i) => status !== 502 && !(status === 504 && i === 4))).toEqual([])
    await logged('upstream gave no answer')
    const pending = client.call('POST', '/new-qrcode', { id: 'QR-1', secret: marker })
    const bound = await until(() => upstream.calls.find(({ body }) => String(body).includes('QR-1')))
    const url = String(bound.headers['x-callback-url'])
    const reply = (to: string, body: string) => fetch(to, { method: 'POST', body })
    expect((await reply(`${url}x`, marker)).status).toBeGreaterThanOrEqual(400)
    expect((await reply(url, `{"id":"QR-1","secret":"${marker}"}`)).status).toBe(202)
    expect((await reply(url, marker)).status).toBe(202)
    expect((await pending).status).toBe(200)
  })

  test('tenants come and go', async () => {
    const admin = clientOf(gancho)
    const other = clientOf(gancho, await admin.newTenant(alphanumericCnpj))
    await admin.call('PATCH', `/admin/clientes/${alphanumericCnpj}?active=false`)
    expect((await other.post({ a: marker })).status).toBe(403)
    await admin.call('DELETE', `/admin/clientes/${alphanumericCnpj}`)
    expect((await other.post({ a: marker })).status).toBe(401)
  })

  test('the scripts fail on keys of another type', async () => {
    const from = gancho.output().length
    await data.rename(keys.journal, `${keys.journal}-away`)
    await data.set(keys.journal, 'not a stream')
    expect((await clientOf(gancho, token).post(event('200'))).status).toBe(503)
    await logged('WRONGTYPE', from)
    await data.rename(`${keys.journal}-away`, keys.journal)
    // Trouble that goes on is told once: what follows is to find everything at work again.
    await clientOf(gancho, token).postJob(event('200'))
    const caughtUp = async () => {
      const [last] = await data.xrevrange(keys.journal, '+', '-', 'COUNT', 1)
      return last?.[0] === (await data.get(keys.projected))
    }
    await until(caughtUp, { what: 'the projector has read the journal' })
  })

  test('the database is broken', async () => {
    const from = gancho.output().length
    const database = new DatabaseSync(join(shared.dataDir, 'gancho.db'), { timeout: 60_000 })
    database.exec('ALTER TABLE tenants RENAME TO away; ALTER TABLE job_bodies RENAME TO bodies_away')
    expect((await clientOf(gancho).call('GET', '/admin/clientes')).status).toBe(500)
    expect((await clientOf(gancho, `${token}y`).post({ a: marker })).status).toBe(503)
    await clientOf(gancho, token).postJob(event('200'))
    await logged('job_bodies', from)
    database.exec('ALTER TABLE away RENAME TO tenants; ALTER TABLE bodies_away RENAME TO job_bodies')
    database.close()
  })

  test('Redis goes and comes back', async () => {
    const from = gancho.output().length
    await redis.kill9()
    expect((await clientOf(gancho, token).post(event('200'))).status).toBe(503)
    expect(
      (
        await clientOf(gancho, token).call('POST', '/graphql', {
          query: '{ queues { name counts { waiting } } }',
        })
      ).status,
    ).toBeLessThan(600)
    await logged('Redis connection lost', from)
    await redis.restart({ keepData: true })
    await logged('Redis connection is back', from)
    const accepted = async () => (await clientOf(gancho, token).post(event('200'))).status === 202
    await until(accepted, { what: 'events are accepted again' })
  })

  test('no line holds a token, a secret or a payload', async () => {
    expect(await gancho.stop()).toBe(0)
    const lines = gancho.output().split('\n')
    expect(lines.length).toBeGreaterThan(20)
    const urls = upstream.calls.map(({ headers }) => String(headers['x-callback-url']))
    const capabilities = urls.map((url) => url.split('/callback/')[1] ?? '')
    expect(new Set(capabilities.map((one) => one.length > 40))).toEqual(new Set([true]))
    const ours = [token, token.slice('gnt_'.length), adminToken, secret, marker]
    const hidden = [...ours, apiKey, accessToken, ...capabilities].flatMap(formsOf)
    expect(lines.filter((line) => hidden.some((one) => line.includes(one)))).toEqual([])
  })
})

test('a wrong environment stops the start with all that is wrong', async () => {
  const env = { REDIS_URL: 'redis://127.0.0.1:1', ADMIN_TOKEN: 'short', PORT: 'x' }
  const failure = startGancho({ env })
  await expect(failure).rejects.toThrow(/ended with 1:/)
  const text = String(await failure.catch((error: Error) => error.message))
  expect(text.split('\n').map((line) => line.trim())).toEqual(
    expect.arrayContaining([
      'ENCRYPTION_SECRET: required as soon as REDIS_URL is set',
      'PORT: expected a whole number from 0 to 65,535, got "x"',
    ]),
  )
  expect(text).not.toContain('    at ')
})
