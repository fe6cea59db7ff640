import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import type { Received } from '../support/receiver.ts'
import { alphanumericCnpj } from '../support/tenants.ts'

let fleet: Fleet
let gancho: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end('ok') })
  gancho = await fleet.start('all')
  clients = await clientsOf(gancho)
})
afterAll(() => fleet.close())

const post = (
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  path = '/webhook',
) =>
  fetch(`${gancho.origin}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${clients.token}`, 'content-type': 'application/json', ...headers },
    body,
  })
const delivered = (id: string): Promise<Received> =>
  until(() => fleet.receiver.received.find(({ headers }) => headers['x-gancho-job'] === id), { what: id })
/** What an error answer says, checked for its form. */
const refusal = async (response: Response) => {
  const { error } = (await response.json()) as { error: Record<string, unknown> }
  expect(error).toMatchObject({ code: expect.any(String), message: expect.any(String) })
  expect(error.requestId).toBe(response.headers.get('x-request-id'))
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
  return { status: response.status, ...error } as { status: number; code: string; message: string } & Record<
    string,
    unknown
  >
}

describe('an accepted event', () => {
  test('is answered with its ids once it is durable', async () => {
    const response = await post('{"a":1}')
    const body = (await response.json()) as Record<string, unknown>
    expect(response.status).toBe(202)
    expect(body).toEqual({
      id: expect.stringMatching(/^ID-[1-9]\d*$/),
      ids: [body.id],
      eventId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    const number = String(body.id).slice('ID-'.length)
    const { body: written } = await delivered(String(body.id))
    expect(written.toString()).toBe('{"a":1}')
    expect(Number(await fleet.data.get(keys.seq))).toBeGreaterThanOrEqual(Number(number))
  })

  test('has a content type that nobody may guess otherwise', async () => {
    const response = await post('{}')
    await response.text()
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('x-powered-by')).toBeNull()
  })

  test('of another content type arrives byte for byte', async () => {
    const bytes = Uint8Array.from({ length: 1_024 }, (_, i) => i % 256)
    const response = await post(bytes, { 'content-type': 'application/octet-stream' })
    const { id } = (await response.json()) as { id: string }
    const { body, headers } = await delivered(id)
    expect(body.equals(bytes)).toBe(true)
    expect(headers['content-type']).toBe('application/octet-stream')
  })

  test('that is compressed and no JSON arrives as it was sent', async () => {
    const response = await post('not really gzip', {
      'content-type': 'text/plain',
      'content-encoding': 'gzip',
    })
    const { id } = (await response.json()) as { id: string }
    const { body, headers } = await delivered(id)
    expect(body.toString()).toBe('not really gzip')
    expect(headers['content-encoding']).toBe('gzip')
  })

  test('may be empty and without a content type', async () => {
    const response = await fetch(`${gancho.origin}/webhook`, {
      method: 'POST',
      headers: { authorization: `Bearer ${clients.token}` },
    })
    const { id } = (await response.json()) as { id: string }
    expect(response.status).toBe(202)
    expect((await delivered(id)).body.length).toBe(0)
  })

  test.each(['/webhook?source=erp&x=%', '/webhook/', '/webhook/?a=1'])(
    'may be posted to %s',
    async (path) => {
      const response = await post('{}', {}, path)
      await response.text()
      expect(response.status).toBe(202)
    },
  )
})

describe('the id of a request', () => {
  test.each([['given.by_a-proxy:1'], ['x'.repeat(64)]])('is the one it brings: %s', async (id) => {
    expect((await post('{}', { 'x-request-id': id })).headers.get('x-request-id')).toBe(id)
    expect((await refusal(await post('{', { 'x-request-id': id }))).requestId).toBe(id)
  })

  test.each([['with blanks'], ['x'.repeat(65)], ['<script>']])('is a new one instead of: %s', async (id) => {
    expect((await post('{}', { 'x-request-id': id })).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('who may post', () => {
  test.each([
    ['no token', ''],
    ['another scheme', 'Basic abc'],
    ['a scheme alone', 'Bearer '],
    ['two tokens', 'Bearer a b'],
    ['an unknown token', `Bearer gnt_${'a'.repeat(43)}`],
    ['a token that is far too long', `Bearer ${'a'.repeat(513)}`],
  ])('is not found out from %s', async (_what, authorization) => {
    const response = await post('{}', { authorization })
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await refusal(response)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' })
  })

  test('is a tenant and no administrator', async () => {
    const { status, body } = await clients.admin.post({})
    expect(status).toBe(403)
    expect(body.error).toMatchObject({ code: 'FORBIDDEN' })
  })

  test('is a tenant only while it is active', async () => {
    const client = clientOf(gancho, await clients.admin.newTenant(alphanumericCnpj))
    await client.postJob({})
    await clients.admin.call('PATCH', `/admin/clientes/${alphanumericCnpj}?active=false`)
    const { status, body } = await client.post({})
    expect(status).toBe(403)
    expect(body.error).toMatchObject({ code: 'TENANT_INACTIVE' })
    await clients.admin.call('PATCH', `/admin/clientes/${alphanumericCnpj}?active=true`)
    await client.postJob({})
  })
})

describe('an event is refused', () => {
  test.each([
    ['application/json', '{"a":1,\n "b" 2}', { line: 2, column: 6, offset: 13 }],
    ['application/cloudevents+json; charset=utf-8', '[1,]', { line: 1, column: 4, offset: 3 }],
    ['application/json', '', { line: 1, column: 1, offset: 0 }],
  ])('with the place where its %s breaks: %s', async (type, text, position) => {
    const found = await refusal(await post(text, { 'content-type': type }))
    expect(found).toMatchObject({ status: 400, code: 'INVALID_JSON', details: { position } })
    expect(found.message).toContain(`line ${position.line}, column ${position.column}`)
  })

  test('when its JSON is compressed', async () => {
    expect(await refusal(await post('{}', { 'content-encoding': 'gzip' }))).toMatchObject({
      status: 415,
      code: 'UNSUPPORTED_ENCODING',
    })
  })

  test.each([
    ['x-event-type', 'with blank'],
    ['x-event-type', 'x'.repeat(129)],
    ['x-correlation-id', 'ação'.normalize('NFC')],
    ['idempotency-key', 'x'.repeat(256)],
    ['x-ordering-key', 'x'.repeat(256)],
  ])('with the header %s: %s', async (name, value) => {
    const found = await refusal(await post('{}', { [name]: value }))
    expect(found).toMatchObject({ status: 400, code: 'BAD_REQUEST' })
    expect(found.message).toContain(name)
  })

  test('without taking a number', async () => {
    const before = await fleet.data.get(keys.seq)
    await refusal(await post('{'))
    await refusal(await post('{}', { 'x-event-type': 'a b' }))
    expect(await fleet.data.get(keys.seq)).toBe(before)
  })
})
