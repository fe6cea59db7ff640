import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestBytes } from '../../src/graphql/yoga.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { connectRaw, type RawConnection, webhookRequest } from '../support/raw-http.ts'

const maxBodyBytes = 100_000
/** Longer than a busy machine takes to read what is there. */
const requestTimeoutMs = 5_000
/** How long the answer to a body that is too large waits for its sender. */
const lingerMs = 1_000

let fleet: Fleet
let gancho: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>
const open: RawConnection[] = []

beforeAll(async () => {
  const env = { MAX_BODY_BYTES: String(maxBodyBytes), REQUEST_TIMEOUT_MS: String(requestTimeoutMs) }
  fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  gancho = await fleet.start('all')
  clients = await clientsOf(gancho)
})
afterAll(async () => {
  for (const connection of open) connection.destroy()
  await fleet.close()
})

const raw = () => {
  const connection = connectRaw(gancho.origin)
  open.push(connection)
  return connection
}
const request = (body: string, headers?: Record<string, string>) =>
  webhookRequest(clients.token, body, headers)
const lastNumber = async () => Number(await fleet.data.get(keys.seq))
const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${'a'.repeat(bytes)}\r\n`
/** The code of the last answer, checked for the form of every error. Its body may come after its head. */
const lastCode = async (connection: RawConnection): Promise<string> => {
  await until(() => connection.received().endsWith('}'), {
    what: () => `a body after ${connection.received()}`,
  })
  const text = connection.received()
  const { error } = JSON.parse(text.slice(text.lastIndexOf('\r\n\r\n'))) as { error: Record<string, string> }
  expect(text).toContain(`x-request-id: ${error.requestId}`)
  return error.code ?? ''
}

describe.each([
  { path: '/webhook', most: maxBodyBytes },
  { path: '/graphql', most: requestBytes(maxBodyBytes) },
])('a body over the limit of $path', ({ path, most }) => {
  const head = (length: string) => request('').replace('/webhook', path).replace('content-length: 0', length)

  test('is refused by the length it announces, before it is sent', async () => {
    const connection = raw()
    connection.write(head(`content-length: ${most + 1}`))
    expect(await connection.statuses(1)).toEqual([413])
    expect(await lastCode(connection)).toBe('BODY_TOO_LARGE')
    await connection.ended
  })

  test('is refused as soon as its chunks are too many, and the connection ends though it goes on', async () => {
    const connection = raw()
    connection.write(head('transfer-encoding: chunked'))
    for (let sent = 0; sent <= most; sent += 10_000) connection.write(chunk(10_000))
    expect(await connection.statuses(1)).toEqual([413])
    expect(await lastCode(connection)).toBe('BODY_TOO_LARGE')
    await connection.ended
  })

  test('is answered in a way that a sender in the middle of it reads', async () => {
    const body = Buffer.alloc(20 * 1024 * 1024, 'a')
    async function* chunks() {
      for (let at = 0; at < body.length; at += 50_000) yield body.subarray(at, at + 50_000)
    }
    const send = async () => {
      const headers = { authorization: `Bearer ${clients.token}`, 'content-type': 'text/plain' }
      const options = { method: 'POST', headers, body: chunks(), duplex: 'half' }
      return (await fetch(gancho.origin + path, options as unknown as RequestInit)).status
    }
    // One after another: ten at once would keep a busy machine from reading within the second that the answer waits for it.
    for (let read = 0; read < 10; ) {
      const since = performance.now()
      const status = await send().catch((error: unknown) => {
        if (performance.now() - since < lingerMs) throw error
      })
      // Else this sender was stopped for longer than that.
      if (status === undefined) continue
      expect(status).toBe(413)
      read += 1
    }
  })
})

test('a body just below the limit is taken', async () => {
  const connection = raw()
  connection.write(request('a'.repeat(maxBodyBytes)))
  expect(await connection.statuses(1)).toEqual([202])
})

describe('a slow sender', () => {
  test('of a body is told so and let go', async () => {
    const before = await lastNumber()
    const connection = raw()
    connection.write(request('half', { 'content-length': '8' }))
    expect(await connection.statuses(1)).toEqual([408])
    expect(await lastCode(connection)).toBe('REQUEST_TIMEOUT')
    await connection.ended
    expect(await lastNumber()).toBe(before)
  })

  test('of headers is told so and let go', async () => {
    const connection = raw()
    connection.write('POST /webhook HTTP/1.1\r\nhost: gancho\r\n')
    expect(await connection.statuses(1)).toEqual([408])
    await connection.ended
  })
})

describe('what is no request', () => {
  test.each([
    ['nonsense', 'nonsense\r\n\r\n', 400, 'BAD_REQUEST'],
    [
      'two lengths',
      'POST /webhook HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
      400,
      'BAD_REQUEST',
    ],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'HEADERS_TOO_LARGE',
    ],
  ])('is refused in the form of every error: %s', async (_what, text, status, code) => {
    const connection = raw()
    connection.write(text)
    expect(await connection.statuses(1)).toEqual([status])
    expect(await lastCode(connection)).toBe(code)
    await connection.ended
  })

  test('does not take the answer of the event before it on the same connection', async () => {
    const connection = raw()
    connection.write(`${request('first')}nonsense\r\n\r\n`)
    expect(await connection.statuses(2)).toEqual([202, 400])
    await connection.ended
  })
})

describe('one connection', () => {
  test('carries several requests at once, answered in their order', async () => {
    const connection = raw()
    const before = await lastNumber()
    connection.write(['one', 'two', 'three'].map((body) => request(body)).join(''))
    expect(await connection.statuses(3)).toEqual([202, 202, 202])
    const ids = [...connection.received().matchAll(/"id":"ID-(\d+)"/g)].map(([, n]) => Number(n))
    expect(ids).toEqual([before + 1, before + 2, before + 3])
    const bodyOf = (n: number) =>
      until(() =>
        fleet.receiver.received.find(({ headers }) => headers['x-gancho-job'] === `ID-${n}`)?.body.toString(),
      )
    expect(await Promise.all(ids.map(bodyOf))).toEqual(['one', 'two', 'three'])
  })

  test('that breaks off in the middle of a body leaves nothing', async () => {
    const before = await lastNumber()
    const lines = gancho.output()
    const connections = Array.from({ length: 20 }, raw)
    for (const connection of connections) connection.write(request('half', { 'content-length': '8' }))
    for (const connection of connections) connection.destroy()
    await clients.tenant.postJob({ after: 'them' })
    expect(await lastNumber()).toBe(before + 1)
    expect(gancho.output().slice(lines.length)).not.toMatch(/error|broke/i)
  })
})
