import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { openEventStream } from '../support/event-stream.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import type { Received } from '../support/receiver.ts'
import { numericCnpj } from '../support/tenants.ts'
import { json, startUpstreamServer } from '../support/upstream-server.ts'

const times = Array.from({ length: 10 }, (_, nth) => nth)

let fleet: Fleet
let upstream: Awaited<ReturnType<typeof startUpstreamServer>>
let clients: Awaited<ReturnType<typeof clientsOf>>
let gateways: [GanchoProcess, GanchoProcess]

beforeAll(async () => {
  upstream = await startUpstreamServer({
    call: (response, { body }) => json(response, 201, { id: JSON.parse(body.toString()).externalId }),
  })
  const settings = { DOMAIN: upstream.origin, APIKEY: 'an-api-key', UPSTREAM_ERROR_POINTER: '/error' }
  fleet = await openFleet({ answer: (response) => response.end(), env: { ...settings, TIMEOUT: '100000' } })
  gateways = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  clients = await clientsOf(gateways[0], numericCnpj)
})
afterAll(async () => {
  await fleet.close()
  await upstream.close()
})

const Call = `mutation ($input: CallAndAwaitInput!) { callAndAwait(input: $input) { __typename
  ... on ReplyReceived { awaitId payload } ... on ReplyPending { awaitId }
  ... on ReplyFailed { awaitId payload } ... on TooManyAwaiting { max } } }`
type Called = { __typename: string; awaitId: string; payload?: unknown }

/** Each time the caller is at one gateway and what answers comes to the other. */
const sidesOf = (nth: number) =>
  [gateways[nth % 2], gateways[(nth + 1) % 2]] as [GanchoProcess, GanchoProcess]
const call = async (at: GanchoProcess, input: object) =>
  (await clientOf(at, clients.token).graphql<{ callAndAwait: Called }>(Call, { input })).callAndAwait
const post = (at: GanchoProcess, event: object) => clientOf(at, clients.token).postJob(event)
const statusIs = (id: string, status: string) =>
  until(async () => (await fleet.data.hget(keys.await(id), 'status')) === status, { what: `${id} ${status}` })
const waiting = () => fleet.data.zcard(keys.awaitOpen(numericCnpj))

/** The id of the call that the upstream has got and answered. */
async function boundId(externalId: string): Promise<string> {
  const isIts = ({ body }: Received) => JSON.parse(body.toString()).externalId === externalId
  const called = await until(() => upstream.calls.find(isIts), { what: `the call of ${externalId}` })
  const { pathname } = new URL(String(called.headers['x-callback-url']))
  const id = pathname.split('/').at(-1)?.split('.')[0] ?? ''
  await statusIs(id, 'BOUND')
  return id
}

test('a webhook that reports failure at one gateway ends the wait at the other at once', async () => {
  for (const nth of times) {
    const [here, there] = sidesOf(nth)
    const externalId = `failing-${nth}`
    const calling = call(here, { body: { externalId } })
    await boundId(externalId)
    await post(there, { id: externalId, error: 'no such account' })
    expect(await calling).toMatchObject({
      ...{ __typename: 'ReplyFailed', payload: { id: externalId, error: 'no such account' } },
    })
  }
})

test('a late reply at one gateway is read by its id at the other, and told to who subscribed there', async () => {
  for (const nth of times) {
    const [here, there] = sidesOf(nth)
    const externalId = `late-${nth}`
    const calling = call(here, { body: { externalId }, timeoutMs: 300 })
    const id = await boundId(externalId)
    expect(await calling).toMatchObject({ __typename: 'ReplyPending', awaitId: id })
    // By Redis' clock, which may be a moment after the caller was answered.
    await until(async () => Number(await fleet.data.hget(keys.await(id), 'deadline')) < Date.now(), {
      what: 'its deadline',
    })
    const watching = await openEventStream(here.origin, {
      query: `subscription { awaitedReply(id: "${id}") { status payload duplicates } }`,
      token: clients.token,
    })
    await until(() => watching.results().length === 1, { what: 'the reply as it is' })
    await post(there, { id: externalId, nth })
    await watching.ended
    const shown = { status: 'LATE', payload: { id: externalId, nth }, duplicates: 0 }
    expect(watching.results().at(-1)).toEqual({ data: { awaitedReply: shown } })
    await post(here, { id: externalId, nth: 'again' })
    const read = `{ awaitedReply(id: "${id}") { status payload duplicates } }`
    expect(await clientOf(there, clients.token).graphql(read)).toEqual({
      awaitedReply: { ...shown, duplicates: 1 },
    })
  }
})

test('a caller who hangs up is released, and the reply that comes to the other gateway is kept', async () => {
  for (const nth of times) {
    const [here, there] = sidesOf(nth)
    const externalId = `gone-${nth}`
    const hangUp = new AbortController()
    const calling = fetch(`${here.origin}/new-qrcode`, {
      method: 'POST',
      headers: { authorization: `Bearer ${clients.token}`, 'idempotency-key': externalId },
      body: JSON.stringify({ externalId }),
      signal: hangUp.signal,
    }).catch(() => 'hung up')
    const id = await boundId(externalId)
    hangUp.abort()
    expect(await calling).toBe('hung up')
    await post(there, { id: externalId, nth })
    await statusIs(id, 'REPLIED')
    const read = `{ awaitedReply(idempotencyKey: "${externalId}") { id payload } }`
    expect(await clientOf(there, clients.token).graphql(read)).toEqual({
      awaitedReply: { id, payload: { id: externalId, nth } },
    })
  }
})

test('a webhook that answers nothing is shown at both gateways, and delivered as any other', async () => {
  const before = await strays(gateways[0])
  const ids = []
  for (const nth of times) ids.push(await post(sidesOf(nth)[0], { id: `stray-${nth}` }))
  for (const gateway of gateways) {
    await until(async () => (await strays(gateway)).count === before.count + times.length, {
      what: `${times.length} webhooks that answer nothing`,
    })
    const { last } = await strays(gateway)
    expect(last.slice(0, times.length).map(({ job }) => job?.id)).toEqual(ids.toReversed())
  }
})

async function strays(at: GanchoProcess) {
  type Shown = {
    unmatchedReplies: { count: number; last: { externalId: string; job: { id: string } | null }[] }
  }
  const query = '{ unmatchedReplies { count last { externalId job { id } } } }'
  return (await clientOf(at, clients.token).graphql<Shown>(query)).unmatchedReplies
}

test('a tenant waits for as many replies as it may on both gateways together', async () => {
  await until(async () => (await waiting()) === 0, { what: 'nobody waits' })
  await clients.admin.graphql(
    `mutation { updateTenant(cnpj: "${numericCnpj}", input: { limits: { waitingReplies: 4 } }) { cnpj } }`,
  )
  for (const gateway of gateways)
    await until(async () => {
      const { viewer } = await clientOf(gateway, clients.token).graphql<{
        viewer: { limits: { name: string; max: number }[] }
      }>('{ viewer { limits { name max } } }')
      return viewer.limits.some(({ name, max }) => name === 'waitingReplies' && max === 4)
    })
  const externalIds = [0, 1, 2, 3].map((nth) => `full-${nth}`)
  const calling = externalIds.map((externalId, nth) => call(sidesOf(nth)[0], { body: { externalId } }))
  for (const externalId of externalIds) await boundId(externalId)
  for (const gateway of gateways)
    expect(await call(gateway, { body: { externalId: 'one too many' } })).toEqual({
      ...{ __typename: 'TooManyAwaiting', max: 4 },
    })
  for (const [nth, externalId] of externalIds.entries()) await post(sidesOf(nth)[1], { id: externalId })
  expect((await Promise.all(calling)).map(({ payload }) => payload)).toEqual(
    externalIds.map((id) => ({ id })),
  )
})
