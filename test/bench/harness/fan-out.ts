import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { clientOf } from '../../support/client.ts'
import type { Fleet } from '../../support/fleet.ts'
import { samplesOf } from '../../support/metrics.ts'
import type { Subscribing, Told } from '../load/subscribers.ts'
import { type Helper, startBaseline, startHelper } from './child.ts'
import { cpuUs } from './cpu.ts'
import { eventBody, jsonHeaders } from './events.ts'
import { rssBytes } from './memory.ts'
import { monotonicMs } from './parent.ts'
import { measuredFleet } from './redis.ts'
import type { Checkout, Contestant, Figure, Sample, ScenarioOptions } from './scenario.ts'
import { median } from './statistics.ts'

export const fanOutNames = { gancho: 'Gancho', bare: 'bytes written to bare sockets' }
export const fanOutFigures: Figure[] = [
  { name: 'allMs', title: 'sent to all told, ms', digits: 1 },
  { name: 'firstToLastMs', title: 'first told to last, ms', digits: 1 },
  { name: 'nodeUs', title: 'Node CPU a message and subscriber, µs', digits: 1 },
  { name: 'idleUs', title: 'idle Node CPU a subscriber and second, µs', digits: 1 },
  { name: 'bytesEach', title: 'memory a subscriber, bytes', digits: 0 },
  { name: 'openUs', title: 'Node CPU to subscribe one, µs', digits: 0 },
  { name: 'made', title: 'results made a change and process', digits: 2 },
  { name: 'served', title: 'served', digits: 0 },
]

type Size = { processes: number; each: number }
/** Who tells its subscribers of something when asked to. */
type Teller = {
  origins: string[]
  pids: number[]
  path: string
  headers: Record<string, string>
  /** Has one message sent to all. */
  send(): Promise<void>
  /** Results made so far; 0 of those who make none. */
  made(): Promise<number>
  close(): Promise<void>
}

const messages = 20
const settleMs = 2_000
const document =
  'subscription { jobEvents { ... on JobStatusChanged { cursor jobId status previousStatus attempt at } } }'
const agent = new Agent({ connections: 8 })

/**
 * One change told to `each` subscribers of each of so many processes, by Gancho and by bare sockets, which are written the very bytes
 * that Gancho wrote. All subscribers stay until the end.
 */
export async function fanOut(size: Size, options: ScenarioOptions): Promise<Contestant[]> {
  const contestants: Contestant[] = []
  let bytes = 0
  for (const checkout of options.checkouts) {
    const name = checkout.name === '' ? fanOutNames.gancho : `${fanOutNames.gancho}, ${checkout.name}`
    const opened = await openContestant(name, await startGateways(checkout, size, options), size, options)
    bytes = opened.bytes
    contestants.push(opened.contestant)
  }
  const bare = await openContestant(fanOutNames.bare, await startBare(size, bytes), size, options)
  return [...contestants, { ...bare.contestant, baseline: true }]
}

async function openContestant(name: string, teller: Teller, size: Size, { seconds }: ScenarioOptions) {
  const all = size.processes * size.each
  const helper = await startHelper('subscribers.ts')
  const { origins, pids, path, headers } = teller
  // What is there once for all, a first subscriber has made.
  await helper.ask('subscribe', { origins, each: 1, path, headers } satisfies Subscribing)
  await sleep(settleMs)
  const before = { rss: rssBytes(...pids), cpu: cpuUs(...pids) }
  await helper.ask('subscribe', { origins, each: size.each - 1, path, headers } satisfies Subscribing)
  const openUs = (cpuUs(...pids) - before.cpu) / all
  await sleep(settleMs)
  const bytesEach = (rssBytes(...pids) - before.rss) / all
  const { bytes } = await tell(helper, teller)
  const measure = async (): Promise<Sample> => ({
    ...(await tellMany(helper, teller, all)),
    ...{ idleUs: await idleUs(pids, seconds, all), openUs, bytesEach },
  })
  const close = async () => {
    await helper.close()
    await teller.close()
  }
  return { contestant: { name, baseline: false, measure, close }, bytes }
}

async function tell(helper: Helper, teller: Teller) {
  await helper.ask('expect')
  const sentAt = monotonicMs()
  await teller.send()
  return { sentAt, ...(await helper.ask<Told>('told')) }
}

async function tellMany(helper: Helper, teller: Teller, all: number): Promise<Sample> {
  const before = { cpu: cpuUs(...teller.pids), made: await teller.made() }
  const allMs: number[] = []
  const spread: number[] = []
  let served = all
  for (let turn = 0; turn < messages; turn += 1) {
    const { sentAt, times } = await tell(helper, teller)
    allMs.push((times.at(-1) ?? Number.NaN) - sentAt)
    spread.push((times.at(-1) ?? Number.NaN) - (times[0] ?? Number.NaN))
    served = Math.min(served, times.length)
  }
  return {
    ...{ allMs: median(allMs), firstToLastMs: median(spread), served },
    nodeUs: (cpuUs(...teller.pids) - before.cpu) / messages / all,
    made: ((await teller.made()) - before.made) / messages / teller.pids.length,
  }
}

async function idleUs(pids: readonly number[], seconds: number, all: number): Promise<number> {
  const before = cpuUs(...pids)
  await sleep(seconds * 1_000)
  return (cpuUs(...pids) - before) / seconds / all
}

async function startGateways({ url }: Checkout, size: Size, { profiled }: ScenarioOptions): Promise<Teller> {
  const fleet: Fleet = await measuredFleet({ answer: (response) => response.end(), checkout: url })
  const env = { LOG_LEVEL: 'error', ...profiled }
  const gateways = await Promise.all(
    Array.from({ length: size.processes }, () => fleet.start('gateway', env)),
  )
  const [first] = gateways as [(typeof gateways)[0]]
  const admin = clientOf(first)
  const cnpj = '11222333000181'
  const token = await admin.newTenant(cnpj)
  const limits = { subscriptions: size.processes * size.each }
  const mutation =
    'mutation ($cnpj: CNPJ!, $input: UpdateTenantInput!) { updateTenant(cnpj: $cnpj, input: $input) { cnpj } }'
  await admin.graphql(mutation, { cnpj, input: { limits } })
  const authorization = `Bearer ${token}`
  return {
    origins: gateways.map(({ origin }) => origin),
    pids: gateways.map(({ pid }) => pid),
    path: `/graphql?query=${encodeURIComponent(document)}`,
    headers: { authorization },
    send: () => post(`${first.origin}/webhook`, eventBody, { ...jsonHeaders, authorization }),
    async made() {
      const scraped = await Promise.all(gateways.map((gateway) => samplesOf(gateway)))
      return scraped.reduce((sum, samples) => sum + (samples.get('gancho_stream_results_total') ?? 0), 0)
    },
    async close() {
      for (const gateway of gateways) await gateway.stop()
      await fleet.close()
    },
  }
}

async function startBare({ processes }: Size, bytes: number): Promise<Teller> {
  const started = await Promise.all(Array.from({ length: processes }, () => startBaseline('bare-stream.ts')))
  const chunk = 'event: next\ndata: '.padEnd(bytes, 'x')
  return {
    origins: started.map(({ origin }) => origin),
    pids: started.map(({ pid }) => pid),
    ...{ path: '/', headers: {} },
    async send() {
      await Promise.all(started.map(({ origin }) => post(origin, chunk, {})))
    },
    made: async () => 0,
    async close() {
      await Promise.all(started.map(({ close }) => close()))
    },
  }
}

async function post(url: string, body: string, headers: Record<string, string>): Promise<void> {
  const answer = await request(url, { method: 'POST', dispatcher: agent, headers, body })
  await answer.body.dump()
  if (answer.statusCode !== 202) throw new Error(`${url} answered ${answer.statusCode}`)
}
