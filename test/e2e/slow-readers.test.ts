import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { type EventStream, endingOf, openEventStream } from '../support/event-stream.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'
import { type GraphqlSocket, openSocket } from '../support/graphql-socket.ts'
import { type Inspector, inspect, inspectable } from '../support/inspector.ts'
import { alphanumericCnpj, numericCnpj } from '../support/tenants.ts'

const query = `subscription ($after: Cursor) { jobEvents(after: $after) {
  ... on JobStatusChanged { cursor jobId status job { body } } } }`
type Result = { data?: { jobEvents: { cursor: string; jobId: string; status: string } } }

const jobs = 160
const bodyBytes = 60_000
const changes = 4 * jobs
const slowOfEachKind = 10
const lookEveryMs = 150
const megabyte = 1_048_576

let fleet: Fleet
let gateway: GanchoProcess
let inspector: Inspector

beforeAll(async () => {
  // A socket that is not heard for one and a half keep-alives is cut: they are so far apart that who was slow has time to read its end.
  const env = { STREAM_STALL_MS: '8000', STREAM_KEEP_ALIVE_MS: '60000', LOG_LEVEL: 'warn' }
  fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  ;[gateway] = await Promise.all([fleet.start('gateway', inspectable), fleet.start('worker')])
  inspector = await inspect(gateway)
})
afterAll(async () => {
  inspector.close()
  await fleet.close()
})

const linesOf = (results: readonly unknown[]) =>
  results.flatMap((result) => {
    const { jobEvents } = (result as Result).data ?? {}
    return jobEvents ? `${jobEvents.cursor} ${jobEvents.jobId} ${jobEvents.status}` : []
  })
const ofStream = (stream: EventStream) => linesOf(stream.results())
const ofSocket = (socket: GraphqlSocket) => linesOf(socket.frames('next').map(({ payload }) => payload))

/** The most that the process holds until `done`. */
async function peakUntil(done: Promise<unknown>): Promise<{ held: number; rss: number }> {
  let running = true
  void done.finally(() => {
    running = false
  })
  const peak = { held: 0, rss: 0 }
  while (running) {
    const { held, rss } = await inspector.memory()
    peak.held = Math.max(peak.held, held)
    peak.rss = Math.max(peak.rss, rss)
    // A look collects everything, which holds the process up.
    await sleep(lookEveryMs)
  }
  return peak
}

const untilEnded = (cnpj: string) =>
  until(async () => (await fleet.data.zcard(keys.streams(cnpj))) === 0, {
    withinMs: 100_000,
    what: `the end of ${cnpj}'s stream`,
  })

async function slowStream(token: string): Promise<EventStream> {
  const stream = await openEventStream(gateway.origin, { query, token })
  stream.pause()
  return stream
}
async function slowSocket(token: string): Promise<GraphqlSocket> {
  const client = await openSocket(gateway.origin, { token })
  client.subscribe('1', query)
  client.socket.pause()
  return client
}

test('who does not read is ended with the last cursor, costs no memory and disturbs nobody', async () => {
  const admin = clientOf(gateway)
  const [one, other] = await Promise.all([numericCnpj, alphanumericCnpj].map((cnpj) => admin.newTenant(cnpj)))
  const tokens = [one as string, other as string] as const
  const reader = await openEventStream(gateway.origin, { query })
  const stream = await slowStream(tokens[0])
  const client = await slowSocket(tokens[1])
  const others = await Promise.all(
    Array.from({ length: slowOfEachKind }, () => [slowStream(adminToken), slowSocket(adminToken)]).flat(),
  )
  await until(async () => (await fleet.data.zcard(keys.streams(alphanumericCnpj))) === 1, {
    what: 'the subscription of the slow socket',
  })
  const before = await inspector.memory()

  const body = { text: 'x'.repeat(bodyBytes) }
  const tenants = tokens.map((token) => clientOf(gateway, token))
  // A process that is looked into this much may have Redis' answer wait for longer than it gives Redis.
  const post = async (tenant: ReturnType<typeof clientOf>, key: string) => {
    let answered = ''
    const isAccepted = async () => {
      const { status, body: answer } = await tenant.post(body, { 'idempotency-key': key })
      answered = `${status} ${JSON.stringify(answer)}`
      if (![202, 503].includes(status)) throw new Error(`event ${key}: ${answered}`)
      return status === 202
    }
    await until(isAccepted, { what: () => `event ${key} is accepted, the last answer was ${answered}` })
  }
  const posting = async () => {
    for (let i = 0; i < jobs / 4; i++)
      await Promise.all(tenants.flatMap((tenant) => [post(tenant, `${i}-a`), post(tenant, `${i}-b`)]))
  }
  const ends = [
    untilEnded(numericCnpj).then(() => stream.resume()),
    untilEnded(alphanumericCnpj).then(() => client.socket.resume()),
  ]
  const everything = Promise.all([
    posting(),
    until(() => ofStream(reader).length >= changes, { withinMs: 100_000, what: 'all at the one who reads' }),
    ...ends,
    stream.ended,
    client.closed,
  ])
  const peak = await peakUntil(everything)
  await everything

  const figures = { rss: peak.rss - before.rss, held: peak.held - before.held }
  console.log(figures, `for ${others.length + 2} times ${(changes * bodyBytes) / megabyte} MiB`)
  // What all groups keep together is bounded by 64 MiB, and the part of the journal in memory by 16 MiB.
  expect(figures.held).toBeLessThan(120 * megabyte)
  expect(figures.rss).toBeLessThan(250 * megabyte)

  const all = ofStream(reader)
  expect(all.length).toBe(changes)
  const { code, cursor } = endingOf(stream)
  expect([code, (await client.closed).reason]).toEqual(['SLOW_CONSUMER', 'SLOW_CONSUMER'])
  const last = client.frames('next').at(-1)?.payload as { errors: { extensions: { cursor: string } }[] }
  for (const [got, token, after] of [
    [ofStream(stream), tokens[0], cursor],
    [ofSocket(client), tokens[1], last.errors[0]?.extensions.cursor],
  ] as const) {
    const resumed = await openEventStream(gateway.origin, { query, token, lastEventId: after })
    await until(() => got.length + ofStream(resumed).length >= changes / 2, { what: 'the rest' })
    expect(all.filter((line) => new Set(got).has(line))).toEqual(got)
    expect(new Set([...got, ...ofStream(resumed)]).size).toBe(changes / 2)
    expect(got.length).toBeLessThan(changes / 2)
    resumed.close()
  }
  reader.close()
}, 240_000)
