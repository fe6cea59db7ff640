import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import type { HistoryStore } from '../../src/history/history-store.ts'
import { withMiddleware } from '../../src/http/middleware.ts'
import { createRouter } from '../../src/http/router.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { exportJobsRoute } from '../../src/rest/export-jobs.ts'
import { openSqliteStores, type Stores } from '../../src/storage/open-stores.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import { sampleJob, snapshot } from '../contract/sample-jobs.ts'
import { until } from '../support/client.ts'
import { busyTenant, seedHistory } from '../support/seed-history.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const seeded = 5_000
const large = Buffer.alloc(200_000, 'x')
const log = pino({ level: 'silent' })

let stores: Stores
let origin: string
let close: () => Promise<void>
/** Pages read so far, and what happens at the next ones. */
let reads = 0
let onRead: (read: number) => void = () => {}
let isRevoked = false

const asAdmin: Principal = { kind: 'admin', name: 'ops', access: 'read' }
const asTenant = { kind: 'tenant', tenant: { cnpj: busyTenant } } as Principal

beforeAll(async () => {
  const folder = await temporaryFolder()
  const path = join(folder.path, 'gancho.db')
  await seedHistory(path, seeded)
  stores = await openSqliteStores({ path })
  const { history } = stores
  const withBodies = Array.from({ length: 200 }, (_, at) =>
    snapshot(sampleJob(seeded + 1 + at, { queue: 'large', status: 'DELIVERED' }), [], large),
  )
  const binary = snapshot(sampleJob(seeded + 500, { queue: 'binary' }), [], Buffer.from([0, 255]))
  await history.record([...withBodies, binary], { epoch: 'e', journalId: '1-0' })
  const search: HistoryStore['search'] = async (...args) => {
    reads += 1
    onRead(reads)
    return history.search(...args)
  }
  const server = createHttpServer({
    webhook: undefined,
    handle: withMiddleware(
      createRouter({
        routes: [exportJobsRoute({ jobs: { search, bodies: (ns) => history.bodies(ns) } })],
        ...{ open: [], elsewhere: [], maxBodyBytes: 1_000, log },
        authenticate({ headers }) {
          if (isRevoked) throw new GanchoError('UNAUTHENTICATED')
          return headers.authorization === 'tenant' ? asTenant : asAdmin
        },
        recheckMs: 0,
      }),
    ),
    requestTimeoutMs: 10_000,
    log,
  })
  origin = `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}`
  close = async () => {
    await server.close(0)
    await stores.close()
    await folder.remove()
  }
})
afterAll(() => close())
beforeEach(() => {
  reads = 0
  onRead = () => {}
  isRevoked = false
})

type Line = { id: string; status: string; cnpj: string; body?: string; bodyBase64?: string }
const linesOf = (ndjson: string) =>
  ndjson
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
async function exportOf(query: string, authorization = 'admin') {
  const response = await fetch(`${origin}/admin/jobs.ndjson?${query}`, { headers: { authorization } })
  return { response, lines: linesOf(await response.text()) }
}
const numbersOf = (lines: readonly Line[]) => lines.map(({ id }) => Number(id.slice(3)))
/** An export whose answer nobody has begun to read. */
const unread = (query: string) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    get(`${origin}/admin/jobs.ndjson?${query}`, resolve).on('error', reject)
  })

/** There is a place for another one. */
const ready = () =>
  until(async () => (await fetch(`${origin}/admin/jobs.ndjson?ids=ID-1`)).status === 200, { what: 'a place' })

describe('the export', () => {
  test('has every job of its filter once, newest first, a JSON object a line', async () => {
    const { response, lines } = await exportOf('statuses=FAILED,RETRYING')
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8')
    const expected = await stores.history.list({ statuses: ['FAILED', 'RETRYING'] }, { limit: seeded })
    expect(expected.length).toBeGreaterThan(200)
    expect(numbersOf(lines)).toEqual(expected.map(({ n }) => n))
    expect(lines[0]).toMatchObject({ queue: 'nifi', headers: { 'content-type': 'application/json' } })
    expect(lines.find(({ status }) => status === 'FAILED')).toMatchObject({
      failure: { reason: 'EXHAUSTED', failedAt: '1970-01-01T00:00:00.003Z' },
    })
    expect(lines.every((line) => line.body === undefined)).toBe(true)
  })

  test('takes the filters of the list, and goes on after a job', async () => {
    const query =
      'text=padaria&receivedFrom=2027-01-15T08:00:10Z&receivedTo=2027-01-15T08:01:00%2B00:00&eventType=order.type-7'
    const whole = numbersOf((await exportOf(query)).lines)
    expect(whole).toEqual([47, 27])
    expect(numbersOf((await exportOf(`${query}&after=ID-47`)).lines)).toEqual([27])
    expect(numbersOf((await exportOf('ids=ID-3,ID-2&ids=ID-9&ids=none')).lines)).toEqual([9, 3, 2])
  })

  test("shows a tenant its own jobs alone, also when it asks for another's", async () => {
    const { lines } = await exportOf('statuses=RETRYING', 'tenant')
    expect(new Set(lines.map(({ cnpj }) => cnpj))).toEqual(new Set([busyTenant]))
    expect((await exportOf('cnpj=12ABC34501DE35', 'tenant')).lines).toEqual([])
  })

  test('has bodies where they are asked for, those that are no text as Base64', async () => {
    expect((await exportOf('include=body&ids=ID-1')).lines[0]?.body).toMatch(/^\{"order":1,.*\}$/)
    expect((await exportOf('include=body&queue=binary')).lines[0]?.bodyBase64).toBe('AP8=')
  })

  test.each([
    'status=FAILED',
    'statuses=LOST',
    'receivedFrom=yesterday',
    'include=everything',
    'after=7',
    'cnpj=1',
  ])('is refused with %s, and says what is wrong', async (query) => {
    const response = await fetch(`${origin}/admin/jobs.ndjson?${query}`)
    expect(response.status).toBe(400)
    expect(reads).toBe(0)
  })

  test('answers HEAD without reading on', async () => {
    const response = await fetch(`${origin}/admin/jobs.ndjson`, { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
    expect(reads).toBe(1)
  })
})

describe('a client that does not read', () => {
  const query = 'include=body&queue=large'
  const pages = 200 / 10

  test('has no more read for it than the connection holds, and gets all of it once it reads', async () => {
    const before = process.memoryUsage().rss
    const response = await unread(query)
    let [seen, unchanged] = [0, 0]
    const settled = () => {
      unchanged = reads === seen ? unchanged + 1 : 0
      seen = reads
      return unchanged > 15 && seen
    }
    const readAhead = await until(settled, { what: 'nothing more is read' })
    expect(readAhead).toBeLessThan(pages / 2)
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20)
    expect(linesOf(await text(response))).toHaveLength(200)
    expect(reads).toBeGreaterThan(readAhead)
  })

  test('ends the reading by going away', async () => {
    const response = await unread(query)
    const readAhead = reads
    response.destroy()
    await once(response, 'close')
    // The place that it had is free again: as many as there are places go away, and one more is served.
    for (let again = 0; again < 10; again += 1) {
      const other = await unread(query)
      other.destroy()
      await once(other, 'close')
    }
    await ready()
    expect(reads).toBeLessThan(11 * (readAhead + 3))
  })

  test('does not keep others from theirs for ever: there are places, and beyond them a 503', async () => {
    const open: IncomingMessage[] = []
    // Those who went away before may have a place for a moment yet.
    const isServed = async () => {
      const response = await unread(query)
      if (response.statusCode === 200) open.push(response)
      else response.resume()
      return open.length === 10
    }
    await until(isServed, { what: 'as many as there are places' })
    const refused = await fetch(`${origin}/admin/jobs.ndjson?${query}`)
    expect(refused.status).toBe(503)
    expect(((await refused.json()) as { error: { code: string } }).error.code).toBe('TOO_MANY_STREAMS')
    for (const response of open) response.destroy()
  })
})

describe('what fails', () => {
  const gone = new GanchoError('DATABASE_UNAVAILABLE')

  test('before anything is sent is an error answer', async () => {
    await ready()
    onRead = () => {
      throw gone
    }
    expect((await fetch(`${origin}/admin/jobs.ndjson`)).status).toBe(503)
  })

  test('as soon as access is withdrawn, not a line follows', async () => {
    await ready()
    reads = 0
    onRead = (read) => {
      isRevoked = read === 3
    }
    const response = await fetch(`${origin}/admin/jobs.ndjson?queue=nifi`)
    const seen: string[] = []
    const reading = async () => {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) seen.push(chunk)
    }
    await expect(reading()).rejects.toThrow()
    const lines = seen.join('').trimEnd().split('\n')
    expect(lines).toHaveLength(2 * 200 + 1)
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ error: { code: 'UNAUTHENTICATED' } })
  })

  test('on the way is told in the last line, and the answer has no end', async () => {
    await ready()
    reads = 0
    onRead = (read) => {
      if (read === 3) throw gone
    }
    const response = await unread('')
    let received = ''
    response.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk
    })
    await expect(once(response, 'end')).rejects.toThrow('aborted')
    const lines = linesOf(received)
    expect(lines).toHaveLength(401)
    expect(lines.at(-1)).toMatchObject({
      error: { code: 'DATABASE_UNAVAILABLE', requestId: expect.any(String) },
    })
  })
})
