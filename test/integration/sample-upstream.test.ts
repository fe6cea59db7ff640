import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Foundation } from '../../src/app/foundation.ts'
import { openSampleUpstream, withSampleUpstream } from '../../src/app/sample-upstream.ts'
import { upstreamSettings } from '../../src/app/upstream-settings.ts'
import { readConfig } from '../../src/config.ts'
import { createUpstreams } from '../../src/sync/upstream/create-upstreams.ts'
import { type SampleUpstream, startSampleUpstream } from '../../src/welcome/sample-upstream.ts'
import { eventually } from '../support/eventually.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { openUpstream } from '../support/upstream-server.ts'

let receiver: Receiver
let sample: SampleUpstream
let opened: ReturnType<typeof openUpstream>
let answered: number | undefined
let calledBack: { at: number; body: Record<string, unknown> }[]
let lines: string[]

const start = async (options: Partial<Parameters<typeof startSampleUpstream>[0]> = {}) => {
  await sample?.close()
  await opened?.close()
  lines = []
  const log = { info: (line: string) => void lines.push(line) }
  sample = await startSampleUpstream({ log, delayMs: 250, lateMs: 1_500, ...options })
  opened = openUpstream(sample.origin, { apiKey: sample.apiKey })
}
const callbackUrl = () => `${receiver.url}callback/SECRET`
/** The id that it answered. */
const ask = async (body: unknown, idempotencyKey = 'key-1') => {
  const answer = await opened.call({
    body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
    callbackUrl: callbackUrl(),
    idempotencyKey,
  })
  answered = performance.now()
  if (answer.kind === 'failed') throw new Error(`${answer.code} ${answer.status}`)
  return answer.externalId
}
const came = (count: number) => eventually(() => expect(calledBack).toHaveLength(count))
const afterAnswer = () => (calledBack[0]?.at ?? Number.NaN) - (answered ?? Number.NaN)

beforeEach(async () => {
  calledBack = []
  receiver = await startReceiver((response, { body }) => {
    calledBack.push({ at: performance.now(), body: JSON.parse(String(body)) })
    response.writeHead(202).end()
  })
  await start()
})
afterEach(async () => {
  await opened.close()
  await sample.close()
  await receiver.close()
})

test('it calls back once, a moment after its answer, with the id and what was asked for', async () => {
  const id = await ask({ amount: 10 })
  expect(calledBack).toEqual([])
  await came(1)
  expect(calledBack[0]?.body).toMatchObject({ id, status: 'READY', for: { amount: 10 } })
  expect(calledBack[0]?.body).not.toHaveProperty('error')
  expect(afterAnswer()).toBeGreaterThan(0)
  await eventually(() => expect(lines).toEqual([`Sample upstream called back for ${id}: answered 202`]))
})

describe('told to simulate', () => {
  test('early, it calls back before its answer', async () => {
    const id = await ask({ simulate: 'early' })
    expect(calledBack).toMatchObject([{ body: { id } }])
    expect(afterAnswer()).toBeLessThan(0)
  })

  test('late, it calls back after a long while', async () => {
    // Its answer may be read late as well.
    const asked = performance.now()
    const id = await ask({ simulate: 'late' })
    await came(1)
    expect(calledBack[0]?.body).toMatchObject({ id })
    expect((calledBack[0]?.at ?? Number.NaN) - asked).toBeGreaterThan(1_400)
  })

  test('double, it calls back twice with the same', async () => {
    await ask({ simulate: 'double' })
    await came(2)
    expect(calledBack[0]?.body).toEqual(calledBack[1]?.body)
  })

  test('missing, it never calls back', async () => {
    const id = await ask({ simulate: 'missing' })
    await ask({}, 'key-2')
    await came(1)
    expect(calledBack[0]?.body.id).not.toBe(id)
    expect(lines).toContain(`Sample upstream never calls back for ${id}.`)
  })

  test('failing, it calls back with an error where its pointer says', async () => {
    await ask({ simulate: 'failing' })
    await came(1)
    expect(calledBack[0]?.body).toMatchObject({ status: 'FAILED', error: expect.any(String) })
    expect(sample.errorPointer).toBe('/error')
  })

  test('anything else, it refuses', async () => {
    await expect(ask({ simulate: 'soon' })).rejects.toThrow('UPSTREAM_REFUSED 400')
  })
})

test('it can be started in a mode, which a request can change', async () => {
  await start({ simulate: 'early' })
  await ask({})
  expect(calledBack).toHaveLength(1)
  await ask({ simulate: 'normal' }, 'key-2')
  expect(calledBack).toHaveLength(1)
  await came(2)
})

test.each([[undefined], [null], ['text'], [[1]], [7]])('it takes the body %j', async (body) => {
  await ask(body)
  await came(1)
  expect(calledBack[0]?.body.for).toEqual(body ?? null)
})

test('the same key gets the same id, and no second callback', async () => {
  const [first, second, other] = [await ask({}), await ask({}), await ask({}, 'key-2')]
  expect(second).toBe(first)
  expect(other).not.toBe(first)
  await came(2)
  // Both at once on a machine that was stopped meanwhile.
  expect(new Set(calledBack.map(({ body }) => body.id))).toEqual(new Set([first, other]))
})

test('it knows its key and its token alone', async () => {
  const post = (path: string, headers: Record<string, string>) =>
    fetch(`${sample.origin}${path}`, { method: 'POST', headers, body: '{}' })
  expect((await post('/auth/token', { 'x-api-key': 'wrong' })).status).toBe(401)
  expect((await post('/qrcodes', { authorization: 'Bearer wrong' })).status).toBe(401)
  expect((await post('/elsewhere', {})).status).toBe(404)
})

test('a callback that nobody takes is logged without its address', async () => {
  await receiver.close()
  const id = await ask({})
  await eventually(() =>
    expect(lines).toEqual([`Sample upstream called back for ${id}: no answer (ECONNREFUSED)`]),
  )
  receiver = await startReceiver(() => {})
})

test('once closed, it calls nobody back any more', async () => {
  await start({ delayMs: 60_000, lateMs: 60_000 })
  await ask({})
  await ask({ simulate: 'late' }, 'key-2')
  await sample.close()
  expect(lines).toEqual([])
  expect(calledBack).toEqual([])
  await start()
})

describe('where Gancho starts', () => {
  const log = pino({ level: 'silent' })
  const opened = async (env: Record<string, string>, embedded = true) => {
    const found = await openSampleUpstream(readConfig(env), { embedded } as Foundation, log)
    await found?.close()
    return found !== undefined
  }

  test('it is there on a machine of its own when no upstream is named', async () => {
    expect(await opened({})).toBe(true)
    expect(await opened({}, false)).toBe(false)
    expect(await opened({ ROLE: 'worker' })).toBe(false)
    expect(await opened({ DOMAIN: 'https://api.example', APIKEY: 'key' })).toBe(false)
  })

  test('it is the default upstream, called as it wants to be', async () => {
    const env = { UPSTREAM_TOKEN_PATH: '/elsewhere', UPSTREAM_ID_POINTER: '/data/id' }
    const [settings, ...others] = upstreamSettings(withSampleUpstream(readConfig(env), sample))
    expect(others).toEqual([])
    const upstreams = createUpstreams(settings ? [settings] : [], { connectTimeoutMs: 5_000, log })
    const answer = await upstreams.get()?.call({
      ...{ body: Buffer.from('{}'), idempotencyKey: 'key-1', callbackUrl: callbackUrl() },
      signal: new AbortController().signal,
    })
    expect(answer).toMatchObject({ kind: 'accepted' })
    expect(upstreams.get('default')?.errorPointer).toBe('/error')
    expect(upstreams.get('other')).toBeUndefined()
    await came(1)
    await upstreams.close()
  })

  test('without one, the configuration stays as it is', () => {
    const config = readConfig({})
    expect(withSampleUpstream(config, undefined)).toBe(config)
    expect(upstreamSettings(config)).toEqual([])
  })
})
