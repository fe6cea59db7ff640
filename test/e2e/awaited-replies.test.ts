import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import type { Received } from '../support/receiver.ts'
import { json, startUpstreamServer } from '../support/upstream-server.ts'

/** Answers with the external id that the call's body names, when `hold` lets it. */
let hold: Promise<unknown> = Promise.resolve()
const bodyOf = ({ body }: Received) => JSON.parse(body.toString()) as { externalId: string }

let fleet: Fleet
let upstream: Awaited<ReturnType<typeof startUpstreamServer>>
let token: string
let one: GanchoProcess
let two: GanchoProcess
const env = () => ({ DOMAIN: upstream.origin, APIKEY: 'an-api-key', TIMEOUT: '100000' })

beforeAll(async () => {
  upstream = await startUpstreamServer({
    call: (response, received) =>
      void hold.then(() => json(response, 201, { id: bodyOf(received).externalId })),
  })
  fleet = await openFleet({ answer: (response) => response.end(), env: env() })
  ;[one, two] = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  token = (await clientsOf(one)).token
})
afterAll(async () => {
  await fleet.close()
  await upstream.close()
})
beforeEach(() => {
  hold = Promise.resolve()
})

const Call = `mutation ($input: CallAndAwaitInput!) { callAndAwait(input: $input) { __typename
  ... on ReplyReceived { awaitId payload job { id } elapsedMs } ... on ReplyPending { awaitId expiresAt }
  ... on UpstreamFailed { awaitId code upstreamStatus } } }`
const Read = `query ($id: ID, $key: String) { awaitedReply(id: $id, idempotencyKey: $key) {
  id status payload upstream externalId duplicates job { id } } }`
type Called = { __typename: string; awaitId: string; payload?: unknown; job?: { id: string } }
type Shown = { id: string; status: string; payload: unknown; externalId: string; job: { id: string } | null }

const call = async (at: GanchoProcess, input: object) =>
  (await clientOf(at, token).graphql<{ callAndAwait: Called }>(Call, { input })).callAndAwait
const read = async (at: GanchoProcess, by: { id?: string; key?: string }) =>
  (await clientOf(at, token).graphql<{ awaitedReply: Shown }>(Read, by)).awaitedReply
const callOf = (externalId: string) =>
  until(() => upstream.calls.find((received) => bodyOf(received).externalId === externalId), {
    what: `the call of ${externalId}`,
  })
const callbackOf = async (externalId: string) =>
  new URL(String((await callOf(externalId)).headers['x-callback-url']))
const awaitIdOf = async (externalId: string) =>
  (await callbackOf(externalId)).pathname.split('/').at(-1)?.split('.')[0] ?? ''
const bound = async (externalId: string) => {
  const id = await awaitIdOf(externalId)
  await until(async () => (await fleet.data.hget(keys.await(id), 'status')) === 'BOUND', {
    what: `${externalId} is bound`,
  })
  return id
}

describe('a reply reaches its caller', () => {
  test('from the other gateway, by its external id, ten times in a row', async () => {
    for (let nth = 0; nth < 10; nth += 1) {
      const externalId = `cross-${nth}`
      const calling = call(one, { body: { externalId } })
      await bound(externalId)
      const job = await clientOf(two, token).postJob({ id: externalId, nth })
      expect(await calling).toMatchObject({
        ...{ __typename: 'ReplyReceived', payload: { id: externalId, nth }, job: { id: job } },
      })
    }
  })

  test('from the other gateway, by the callback URL, while the upstream has not answered yet', async () => {
    const gate = Promise.withResolvers<void>()
    hold = gate.promise
    const calling = call(one, { body: { externalId: 'early' } })
    const { origin, pathname } = await callbackOf('early')
    expect(origin).toBe(one.origin)
    const posted = await clientOf(two).call('POST', pathname, { early: true }, { authorization: '' })
    expect(posted.status).toBe(202)
    expect(await calling).toMatchObject({ __typename: 'ReplyReceived', payload: { early: true } })
    gate.resolve()
  })

  test('from the other gateway, although the connection that hears of it was cut', async () => {
    const calling = call(one, { body: { externalId: 'cut' } })
    await bound('cut')
    await fleet.data.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await clientOf(two, token).postJob({ id: 'cut', heard: 'after the reconnect' })
    expect(await calling).toMatchObject({ __typename: 'ReplyReceived', payload: { id: 'cut' } })
  })

  test('from the other gateway, although no message can be published', async () => {
    const calling = call(one, { body: { externalId: 'unheard' } })
    await bound('unheard')
    await fleet.data.call('ACL', 'SETUSER', 'default', '-publish')
    await clientOf(two, token).postJob({ id: 'unheard' })
    expect(await calling).toMatchObject({ __typename: 'ReplyReceived', payload: { id: 'unheard' } })
    await fleet.data.call('ACL', 'SETUSER', 'default', '+publish')
  })

  test('over REST, byte for byte, with the id of the call', async () => {
    const calling = fetch(`${one.origin}/new-qrcode`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{"externalId":"rest"}',
    })
    const id = await bound('rest')
    const text = '{ "id": "rest",  "qr": "ção" }'
    await clientOf(two, token).postJob(text)
    const response = await calling
    expect([response.status, response.headers.get('x-gancho-await-id')]).toEqual([200, id])
    expect(await response.text()).toBe(text)
  })
})

test('the same idempotency key on the other gateway joins the call, and both get its reply', async () => {
  const input = { body: { externalId: 'joined' }, idempotencyKey: 'key-joined' }
  const first = call(one, input)
  await bound('joined')
  const second = call(two, input)
  const id = await awaitIdOf('joined')
  await until(async () => (await fleet.data.hget(keys.await(id), 'owners'))?.includes(' '))
  await clientOf(one, token).postJob({ id: 'joined' })
  expect((await Promise.all([first, second])).map(({ awaitId }) => awaitId)).toEqual([id, id])
  expect(upstream.calls.filter((received) => bodyOf(received).externalId === 'joined').length).toBe(1)
})

describe('a gateway that is killed', () => {
  test('loses no reply to a call whose external id was known', async () => {
    const doomed = await fleet.start('gateway')
    const input = { body: { externalId: 'killed' }, idempotencyKey: 'key-killed' }
    const calling = call(doomed, input).catch(() => 'no answer')
    const id = await bound('killed')
    await doomed.kill9()
    expect(await calling).toBe('no answer')
    const job = await clientOf(two, token).postJob({ id: 'killed' })
    const shown = { id, status: 'REPLIED', payload: { id: 'killed' }, externalId: 'killed', job: { id: job } }
    expect(await read(one, { id })).toMatchObject(shown)
    expect(await read(two, { key: 'key-killed' })).toMatchObject(shown)
    expect(await call(two, input)).toMatchObject({ __typename: 'ReplyReceived', awaitId: id })
    expect(upstream.calls.filter((received) => bodyOf(received).externalId === 'killed').length).toBe(1)
  })

  test('before it knew the external id, is followed by one that calls with the same key', async () => {
    const gate = Promise.withResolvers<void>()
    hold = gate.promise
    const doomed = await fleet.start('gateway')
    const input = { body: { externalId: 'unbound' }, idempotencyKey: 'key-unbound', timeoutMs: 200 }
    const calling = call(doomed, { ...input, timeoutMs: 100_000 }).catch(() => 'no answer')
    const id = await awaitIdOf('unbound')
    await doomed.kill9()
    expect(await calling).toBe('no answer')
    gate.resolve()
    const calls = () => upstream.calls.filter((received) => bodyOf(received).externalId === 'unbound')
    await until(async () => (await call(two, input)) && calls().length === 2, { what: 'it is called again' })
    const [first, second] = calls()
    expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key'])
    await bound('unbound')
    await clientOf(one, token).postJob({ id: 'unbound' })
    expect(await read(one, { id })).toMatchObject({ payload: { id: 'unbound' } })
  })
})

test('a gateway that is told to stop answers open calls with their ids at once, and their replies are kept', async () => {
  const stopping = await fleet.start('gateway')
  const calls = ['stop-1', 'stop-2'].map((externalId) => call(stopping, { body: { externalId } }))
  const ids = await Promise.all([bound('stop-1'), bound('stop-2')])
  const ended = stopping.stop()
  expect(await Promise.all(calls)).toMatchObject(
    ids.map((awaitId) => ({ __typename: 'ReplyPending', awaitId })),
  )
  expect(await ended).toBe(0)
  await clientOf(two, token).postJob({ id: 'stop-1' })
  expect(await read(one, { id: ids[0] ?? '' })).toMatchObject({ status: 'REPLIED' })
})
