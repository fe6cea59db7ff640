import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { clientOf, until } from '../../support/client.ts'
import type { Fleet } from '../../support/fleet.ts'
import type { GanchoProcess } from '../../support/gancho.ts'
import { type Answer, type Receiver, startReceiver } from '../../support/receiver.ts'
import type { Sample } from './scenario.ts'
import { median } from './statistics.ts'

const flood = 100_000
const hanging = 500
const throughputJobs = 8_000
/** Deliveries that the median is of, and the pause between two of them. */
const probes = 60
const everyMs = 50
/** As long as an endpoint that does a little work takes. */
const answerAfterMs = 25
const connections = 32

/** A receiver: `/hangs` never answers, `/fast` does at once, any other path after a while. Told of each answer that a probe got. */
export function startEndpoints(onProbe: (id: string) => void): Promise<Receiver> {
  const answer: Answer = (response, { path, headers }) => {
    const id = headers['x-correlation-id']
    if (path === '/hangs') return
    if (path === '/fast') return response.end()
    setTimeout(() => {
      response.end()
      if (typeof id === 'string') onProbe(id)
    }, answerAfterMs)
  }
  return startReceiver(answer)
}

type Client = ReturnType<typeof clientOf>

async function tenantOf(admin: Client, gancho: GanchoProcess, cnpj: string, path?: string) {
  const token = await admin.newTenant(cnpj)
  if (path !== undefined) await makeDestination(admin, { cnpj, url: path })
  return { token, pool: new Pool(gancho.origin, { connections }) }
}

async function makeDestination(admin: Client, input: object) {
  const mutation = `mutation ($input: CreateDestinationInput!) {
    createDestination(input: $input) { destination { id } } }`
  await admin.graphql(mutation, { input: { name: 'measured', ...input } })
}

type Sender = Awaited<ReturnType<typeof tenantOf>>

async function post(sender: Sender, correlationId?: string): Promise<void> {
  const { token, pool } = sender
  const { statusCode, body } = await pool.request({
    ...{ path: '/webhook', method: 'POST', body: '{"order":1}' },
    headers: {
      ...{ authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(correlationId !== undefined && { 'x-correlation-id': correlationId }),
    },
  })
  await body.dump()
  // A machine with more to do than it can keeps Redis from answering in time.
  if (statusCode === 503) return post(sender, correlationId)
  if (statusCode !== 202) throw new Error(`POST /webhook answered ${statusCode}`)
}

async function postMany(sender: Sender, jobs: number) {
  let left = jobs
  const one = async () => {
    while (left > 0) {
      left -= 1
      await post(sender)
    }
  }
  await Promise.all(Array.from({ length: connections }, one))
}

/**
 * Measures one Gancho over an empty Redis: deliveries a second with nothing in their way; then the time from posting to the answer of
 * the receiver for a tenant with a destination of its own and for one that shares one, first alone, then while 100,000 jobs of another
 * tenant wait for the shared one, and a third destination hangs. History has caught up by then.
 */
export async function measureIsolation(
  { receiver }: { receiver: Receiver },
  fleet: Fleet,
  answered: Map<string, () => void>,
): Promise<Sample> {
  const [gancho] = await Promise.all([fleet.start('all'), fleet.start('worker')])
  const admin = clientOf(gancho)
  const flooding = await tenantOf(admin, gancho, '11222333000181')
  const perSecond = await throughput(flooding, fleet)
  await makeDestination(admin, { url: `${receiver.url}shared` })
  const own = await tenantOf(admin, gancho, '12ABC34501DE35', `${receiver.url}own`)
  const sharing = await tenantOf(admin, gancho, '00000000000191')
  const hangs = await tenantOf(admin, gancho, '33000167000101', `${receiver.url}hangs`)
  const senders = [flooding, own, sharing, hangs]
  try {
    const medians = async () => [await probed(own, answered), await probed(sharing, answered)] as const
    const [ownQuietMs, sharedQuietMs] = await medians()
    await postMany(hangs, hanging)
    await postMany(flooding, flood)
    await until(() => isHistoryWritten(fleet), { withinMs: 600_000, what: 'history knows the flood' })
    const [ownBusyMs, sharedBusyMs] = await medians()
    return { perSecond, ownQuietMs, ownBusyMs, sharedQuietMs, sharedBusyMs, waiting: await waiting(fleet) }
  } finally {
    for (const { pool } of senders) await pool.destroy()
  }
}

/** Deliveries a second of the environment's destination, from the first event posted to the last one received. */
async function throughput(sender: Sender, { receiver }: Fleet): Promise<number> {
  const before = receiver.received.length
  const start = performance.now()
  await postMany(sender, throughputJobs)
  await until(() => receiver.received.length - before >= throughputJobs, { withinMs: 120_000 })
  return (throughputJobs * 1_000) / (performance.now() - start)
}

let asked = 0

/** Median of the milliseconds from posting to the receiver's answer; what never comes within 10 s counts as that. */
async function probed(sender: Sender, answered: Map<string, () => void>): Promise<number> {
  const one = async () => {
    asked += 1
    const id = `probe-${asked}`
    const start = performance.now()
    const came = new Promise<void>((resolve) => answered.set(id, resolve))
    await post(sender, id)
    await Promise.race([came, sleep(10_000, undefined, { ref: false })])
    return performance.now() - start
  }
  const times: Promise<number>[] = []
  for (let i = 0; i < probes; i += 1) {
    times.push(one())
    await sleep(everyMs)
  }
  return median(await Promise.all(times))
}

/** Less than two seconds behind: what a flood does to others is not to be taken for what writing its history does. */
async function isHistoryWritten({ data }: Fleet): Promise<boolean> {
  const [last] = await data.xrevrange('{gancho}:journal', '+', '-', 'COUNT', 1)
  const projected = (await data.get('{gancho}:projected')) ?? '0'
  return Number.parseInt(last?.[0] ?? '0', 10) - Number.parseInt(projected, 10) < 2_000
}

/** Jobs that are accepted and not over, in thousands. */
async function waiting({ data }: Fleet): Promise<number> {
  return (await data.zcard('{gancho}:due')) / 1_000
}
