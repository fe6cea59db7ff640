import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { accessToken, apiKey, json, upstreamsForFile } from '../support/upstream-server.ts'

const { startServer, open } = upstreamsForFile()
const bearers = (calls: { headers: { authorization?: string } }[]) =>
  calls.map(({ headers }) => headers.authorization?.replace(`Bearer ${accessToken}-`, 'token '))
const times = <Value>(count: number, make: () => Value) => Array.from({ length: count }, make)

test('the API key goes to the exchange alone, and the token to the call', async () => {
  const server = await startServer()
  const { call } = open(server.origin)
  expect(await call()).toEqual({ kind: 'accepted', externalId: 'QR-1', body: { id: 'QR-1' } })
  expect(server.exchanges).toMatchObject([
    { method: 'POST', headers: { 'x-api-key': apiKey, 'content-type': 'application/json' } },
  ])
  expect(JSON.parse(String(server.exchanges[0]?.body))).toEqual({})
  expect(server.calls).toMatchObject([
    { method: 'POST', path: '/qrcodes', headers: { authorization: `Bearer ${accessToken}-1` } },
  ])
  expect(server.calls[0]?.headers).not.toHaveProperty('x-api-key')
})

test('200 calls at once share one exchange', async () => {
  const server = await startServer({ token: (response) => setTimeout(() => grant(response, 'one'), 50) })
  const { call } = open(server.origin)
  const answers = await Promise.all(times(200, () => call()))
  expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['accepted']))
  expect(server.exchanges).toHaveLength(1)
  expect(server.calls).toHaveLength(200)
})

test('200 calls at once share a failed exchange, and a later call tries again', async () => {
  let broken = true
  const server = await startServer({
    token: (response) =>
      void (broken ? setTimeout(() => json(response, 500, {}), 50) : grant(response, 'ok')),
  })
  let nowMs = 0
  const { call } = open(server.origin, {}, { tokenFailureMs: 1_000, now: () => nowMs })
  const answers = await Promise.all(times(200, () => call()))
  expect(new Set(answers.map((answer) => answer.kind === 'failed' && answer.code))).toEqual(
    new Set(['UPSTREAM_ERROR']),
  )
  broken = false
  await call()
  expect(server.exchanges, 'within a second nobody asks again').toHaveLength(1)
  nowMs = 1_001
  expect(await call()).toMatchObject({ kind: 'accepted' })
  expect(server.exchanges).toHaveLength(2)
})

test('a token is renewed before it ends, while calls go on with the old one', async () => {
  let release = () => {}
  const server = await startServer({
    token: (response, number) => {
      const answer = () => grant(response, `${accessToken}-${number}`, 3600)
      if (number === 1) answer()
      else release = answer
    },
  })
  let nowMs = 0
  const { call } = open(server.origin, {}, { now: () => nowMs })
  await call()
  nowMs = 3_539_000
  await call()
  expect(server.exchanges, 'not yet').toHaveLength(1)
  nowMs = 3_541_000
  await Promise.all(times(20, () => call()))
  await eventually(() => expect(server.exchanges).toHaveLength(2))
  expect(new Set(bearers(server.calls))).toEqual(new Set(['token 1']))
  release()
  await eventually(async () => {
    await call()
    expect(bearers(server.calls).at(-1)).toBe('token 2')
  })
  expect(server.exchanges).toHaveLength(2)
})

test('a token that has ended is not used, although its renewal failed before', async () => {
  const server = await startServer({
    token: (response, number) => {
      if (number === 2) json(response, 500, {})
      else grant(response, `${accessToken}-${number}`, 3600)
    },
  })
  let nowMs = 0
  const { call, lines } = open(server.origin, {}, { now: () => nowMs })
  await call()
  nowMs = 3_550_000
  expect(await call()).toMatchObject({ kind: 'accepted' })
  await eventually(() => expect(lines.join()).toContain('was not renewed'))
  nowMs = 3_600_000
  expect(await call()).toMatchObject({ kind: 'accepted' })
  expect(bearers(server.calls)).toEqual(['token 1', 'token 1', 'token 3'])
})

test('calls that are refused with 401 share one renewal, and each is repeated once with its own key', async () => {
  const server = await startServer({
    call: (response, { headers }) => {
      const good = headers.authorization === `Bearer ${accessToken}-2`
      json(response, good ? 201 : 401, { id: 'QR-1' })
    },
  })
  const { call } = open(server.origin)
  const keys = times(50, () => '').map((_, i) => `key-${i}`)
  const answers = await Promise.all(keys.map((idempotencyKey) => call({ idempotencyKey })))
  expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['accepted']))
  expect(server.exchanges).toHaveLength(2)
  const sent = server.calls.map(({ headers }) => headers['idempotency-key'])
  expect(sent.toSorted()).toEqual([...keys, ...keys].toSorted())
})

test('a call that is refused with 401 again is over', async () => {
  const server = await startServer({ call: (response) => json(response, 401, {}) })
  const { call } = open(server.origin)
  expect(await call()).toMatchObject({
    kind: 'failed',
    code: 'UPSTREAM_REFUSED',
    status: 401,
    maybeSent: false,
  })
  expect(server.calls).toHaveLength(2)
  expect(server.exchanges).toHaveLength(2)
})

test('without an exchange the key itself is the token, and 401 is final', async () => {
  const server = await startServer({ call: (response) => json(response, 401, {}) })
  const { call } = open(server.origin, { tokenPath: null })
  expect(await call()).toMatchObject({ code: 'UPSTREAM_REFUSED', status: 401 })
  expect(server.exchanges).toHaveLength(0)
  expect(server.calls.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${apiKey}`])
})

test.each([
  ['an API key that is not taken', (to: Response) => json(to, 403, {}), 'UPSTREAM_REFUSED', 403],
  ['a broken exchange', (to: Response) => json(to, 500, {}), 'UPSTREAM_ERROR', 500],
  ['an exchange that is not JSON', (to: Response) => to.end('<html>'), 'UPSTREAM_UNREADABLE', 200],
  ['one without a token', (to: Response) => json(to, 200, { token: 'x' }), 'UPSTREAM_UNREADABLE', 200],
  [
    'one whose token no header carries',
    (to: Response) => json(to, 200, { access_token: 'a\nb' }),
    'UPSTREAM_UNREADABLE',
    200,
  ],
])('%s is told, and the call is not sent', async (_what, token, code, status) => {
  const server = await startServer({ token })
  const { call } = open(server.origin)
  expect(await call()).toMatchObject({ kind: 'failed', code, status, maybeSent: false })
  expect(server.calls).toHaveLength(0)
})

test('a lifetime may be a text, and none at all means until it is refused', async () => {
  const lifetimes = ['600', undefined]
  const server = await startServer({
    token: (response, number) => grant(response, `${accessToken}-${number}`, lifetimes[number - 1]),
  })
  let nowMs = 0
  const { call } = open(server.origin, {}, { now: () => nowMs })
  await call()
  nowMs = 700_000
  await call()
  nowMs = 1e12
  await call()
  expect(bearers(server.calls)).toEqual(['token 1', 'token 2', 'token 2'])
})

test('a caller waits for the token no longer than the deadline', async () => {
  const server = await startServer({ token: () => {} })
  const { call } = open(server.origin)
  const hurried = await call({ signal: AbortSignal.timeout(50) })
  expect(hurried).toMatchObject({ kind: 'failed', code: 'UPSTREAM_TIMEOUT', status: null, maybeSent: false })
  expect(server.calls).toHaveLength(0)
})

type Response = Parameters<typeof json>[0]

function grant(response: Response, token: string, expiresIn?: number | string) {
  json(response, 200, { access_token: token, expires_in: expiresIn })
}
