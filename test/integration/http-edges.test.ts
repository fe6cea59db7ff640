import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'
import { alphanumericCnpj, numericCnpj } from '../support/tenants.ts'

let fleet: Fleet
let gancho: GanchoProcess
let worker: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end('ok') })
  ;[gancho, worker] = await Promise.all([fleet.start('gateway'), fleet.start('worker')])
  clients = await clientsOf(gancho)
})
afterAll(() => fleet.close())

const ask = (method: string, path: string, token: string | null = adminToken, at = gancho) =>
  fetch(`${at.origin}${path}`, {
    method,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  })
const codeOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; requestId: string } }
  expect(error.requestId).toBe(response.headers.get('x-request-id'))
  return error.code
}

describe('an address that is not there', () => {
  test.each([
    '/',
    '/nowhere',
    '/webhook/more',
    '/admin/clientes/1/2',
    '/admin/clientes/%zz',
    '//webhook',
    '/graphql/x',
  ])('is 404 in the form of every error: %s', async (path) => {
    const response = await ask('POST', path)
    expect(response.status).toBe(404)
    expect(await codeOf(response)).toBe('NOT_FOUND')
  })
})

describe('a method that an address does not take', () => {
  test.each([
    ['GET', '/webhook', 'POST, OPTIONS'],
    ['PUT', '/webhook?a=1', 'POST, OPTIONS'],
    ['POST', '/health/live', 'GET, HEAD, OPTIONS'],
    ['DELETE', '/admin/clientes', 'POST, GET, HEAD, OPTIONS'],
    ['PUT', `/admin/clientes/${numericCnpj}`, 'GET, PATCH, DELETE, HEAD, OPTIONS'],
    ['GET', '/nifi/falha/nifi', 'POST, OPTIONS'],
  ])('is 405 and says which it takes: %s %s', async (method, path, allow) => {
    const response = await ask(method, path, null)
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe(allow)
    expect(await codeOf(response)).toBe('METHOD_NOT_ALLOWED')
  })

  test('is told to who asks with OPTIONS', async () => {
    const response = await ask('OPTIONS', '/webhook', null)
    expect([response.status, response.headers.get('allow'), await response.text()]).toEqual([
      204,
      'POST, OPTIONS',
      '',
    ])
  })

  test('is told by GraphQL too', async () => {
    const response = await ask('DELETE', '/graphql')
    await response.text()
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST'])
  })
})

test('HEAD is GET without a body', async () => {
  const [get, head] = await Promise.all([ask('GET', '/admin/clientes'), ask('HEAD', '/admin/clientes')])
  expect(head.status).toBe(200)
  expect(head.headers.get('content-length')).toBe(String((await get.arrayBuffer()).byteLength))
  expect(await head.text()).toBe('')
  expect((await ask('HEAD', '/admin/clientes', null)).status).toBe(401)
})

describe('GraphQL', () => {
  test.each([
    ['no token', null],
    ['an unknown token', 'gnt_nobody'],
  ])('is not for who has %s, told in its own form and in that of REST', async (_what, token) => {
    const response = await ask('POST', '/graphql', token)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    const { errors } = (await response.clone().json()) as { errors: unknown }
    expect(await codeOf(response)).toBe('UNAUTHENTICATED')
    const requestId = response.headers.get('x-request-id')
    expect(errors).toEqual([
      { message: expect.any(String), extensions: { code: 'UNAUTHENTICATED', requestId } },
    ])
  })

  test('shows no page where GraphiQL is off, as it is by default beside a shared Redis', async () => {
    const response = await fetch(`${gancho.origin}/graphql`, { headers: { accept: 'text/html' } })
    expect(response.status).toBe(401)
    expect(response.headers.get('content-type')).toContain('application/json')
    await response.text()
  })
})

describe('security headers', () => {
  test.each(['/health/live', '/nowhere', '/admin/clientes', '/graphql', '/webhook'])(
    'come with every answer: %s',
    async (path) => {
      const response = await ask('GET', path)
      await response.text()
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'SAMEORIGIN',
        'content-security-policy': expect.stringContaining("default-src 'self'"),
        'referrer-policy': 'no-referrer',
        'strict-transport-security': expect.stringContaining('max-age='),
      })
    },
  )
})

describe('compression', () => {
  /** As it is on the wire: fetch would undo it. */
  const encodingOf = async (query: string, accepts?: string): Promise<string | undefined> => {
    const headers = {
      authorization: `Bearer ${adminToken}`,
      'content-type': 'application/json',
      ...(accepts !== undefined && { 'accept-encoding': accepts }),
    }
    const sent = httpRequest(`${gancho.origin}/graphql`, { method: 'POST', headers })
    sent.end(JSON.stringify({ query }))
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    await response.resume().toArray()
    expect(response.statusCode).toBe(200)
    expect(response.headers.vary).toContain('Accept-Encoding')
    return response.headers['content-encoding']
  }

  test('is for large answers and not for small ones, and for who takes it', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, i) => clients.tenant.postJob({ i })))
    const jobs = '{ jobs(first: 40) { edges { node { id eventId status payload headers } } } }'
    const counted = async () => {
      const { jobs } = await clients.admin.graphql<{ jobs: { totalCount: number } }>(
        '{ jobs { totalCount } }',
      )
      return jobs.totalCount >= 40
    }
    await until(counted, { what: 'history has the jobs' })
    expect(await encodingOf(jobs, 'gzip')).toBe('gzip')
    expect(await encodingOf('{ viewer { __typename } }', 'gzip')).toBeUndefined()
    expect(await encodingOf(jobs)).toBeUndefined()
    expect(await encodingOf(jobs, 'identity')).toBeUndefined()
  })
})

describe('the administration of tenants', () => {
  const path = `/admin/clientes/${alphanumericCnpj}`
  const call = (method: string, to: string, body?: unknown) => clients.admin.call(method, to, body)

  test('goes from creation to removal, and the token lives as long', async () => {
    const created = await call('POST', '/admin/clientes', { cnpj: '12.ABC.345/01DE-35', name: 'Ação Ltda' })
    expect(created.status).toBe(201)
    expect(created.headers.get('location')).toBe(path)
    expect(created.headers.get('cache-control')).toBe('no-store')
    const { token, encryptedToken, ...tenant } = created.body
    expect(tenant).toMatchObject({ cnpj: alphanumericCnpj, name: 'Ação Ltda', active: true })
    expect(token).toMatch(/^gnt_/)
    expect(encryptedToken).not.toContain(token)

    expect((await call('GET', path)).body).toEqual(tenant)
    const { body } = await call('GET', '/admin/clientes')
    expect(body.clientes).toContainEqual(tenant)
    expect(JSON.stringify(body)).not.toContain(token)
    expect((await call('PATCH', `${path}?active=false`)).body).toMatchObject({ active: false })
    expect((await ask('POST', '/webhook', String(token))).status).toBe(403)
    expect((await call('DELETE', path)).status).toBe(204)
    expect((await ask('POST', '/webhook', String(token))).status).toBe(401)
    expect((await call('GET', path)).body.error).toMatchObject({ code: 'TENANT_NOT_FOUND' })
  })

  test.each([
    ['POST', '/admin/clientes', { cnpj: numericCnpj, name: 'Again' }, 409, 'TENANT_EXISTS'],
    ['POST', '/admin/clientes', { cnpj: '11222333000182', name: 'x' }, 400, 'INVALID_CNPJ'],
    ['POST', '/admin/clientes', { name: 'x' }, 400, 'BAD_REQUEST'],
    ['POST', '/admin/clientes', '{"cnpj"', 400, 'INVALID_JSON'],
    ['GET', '/admin/clientes/123', undefined, 400, 'INVALID_CNPJ'],
    ['GET', '/admin/clientes?limit=0', undefined, 400, 'BAD_REQUEST'],
    ['PATCH', `/admin/clientes/${numericCnpj}`, undefined, 400, 'BAD_REQUEST'],
    ['PATCH', '/admin/clientes/00000000000191?active=true', undefined, 404, 'TENANT_NOT_FOUND'],
    ['DELETE', '/admin/clientes/00000000000191', undefined, 404, 'TENANT_NOT_FOUND'],
  ])('refuses %s %s %j', async (method, to, body, status, code) => {
    const answer = await call(method, to, body)
    expect(answer.status).toBe(status)
    expect(answer.body.error).toMatchObject({ code })
  })

  test.each([
    ['a tenant', 403, 'FORBIDDEN'],
    ['nobody', 401, 'UNAUTHENTICATED'],
  ])('is not for %s', async (who, status, code) => {
    const token = who === 'nobody' ? null : clients.token
    for (const [method, to] of [
      ['POST', '/admin/clientes'],
      ['GET', '/admin/clientes'],
      ['GET', `/admin/clientes/${numericCnpj}`],
      ['PATCH', `/admin/clientes/${numericCnpj}?active=false`],
      ['DELETE', `/admin/clientes/${numericCnpj}`],
    ] as const) {
      const response = await ask(method, to, token)
      expect([response.status, await codeOf(response)]).toEqual([status, code])
    }
    await clients.tenant.postJob({ still: 'active' })
  })
})

describe('a worker', () => {
  test('serves its health', async () => {
    expect(await (await ask('GET', '/health/live', null, worker)).json()).toEqual({ status: 'live' })
    expect((await ask('GET', '/health/ready', null, worker)).status).toBe(200)
  })

  test.each([
    ['POST', '/webhook'],
    ['POST', '/graphql'],
    ['GET', '/graphql'],
    ['GET', '/admin/clientes'],
    ['POST', '/nifi/falha/nifi'],
  ])('serves nothing else: %s %s', async (method, path) => {
    const response = await ask(method, path, clients.token, worker)
    expect([response.status, await codeOf(response)]).toEqual([404, 'NOT_FOUND'])
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })
})

test('the export of jobs has those of the token that asks, and none for no token', async () => {
  const id = await clients.tenant.postJob({ order: 1 })
  const exported = async (token: string) => (await ask('GET', '/admin/jobs.ndjson', token)).text()
  await until(async () => (await exported(clients.token)).includes(`{"id":"${id}",`), {
    what: `${id} is in the export`,
  })
  expect(await exported(adminToken)).toContain(`{"id":"${id}",`)
  const other = await clients.admin.newTenant(alphanumericCnpj)
  expect(await exported(other)).toBe('')
  expect((await ask('GET', '/admin/jobs.ndjson', null)).status).toBe(401)
})
