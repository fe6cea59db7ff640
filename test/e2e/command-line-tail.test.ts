import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { gancho, type Running, startCommand } from '../support/command-line.ts'
import { type Fleet, openFleet, untilStatus } from '../support/fleet.ts'
import { freePort } from '../support/free-port.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'
import { samplesOf } from '../support/metrics.ts'

type Change = { jobId: string; status: string; previousStatus: string | null; cursor: string }

const cnpjs = ['11222333000181', '12ABC34501DE35'] as const

let fleet: Fleet
let gateway: GanchoProcess
/** Clients of the two tenants, at the gateway that runs. */
let tenants: ReturnType<typeof clientOf>[]
let tokens: string[]
let env: Record<string, string>
let running: Running[] = []
/** Answers that are held back while this is set. */
let held: ServerResponse[] | undefined

beforeAll(async () => {
  const answer = (response: ServerResponse) => (held ? held.push(response) : response.end())
  fleet = await openFleet({ answer: (response) => void answer(response) })
  const worker = fleet.start('worker')
  gateway = await fleet.start('gateway', { PORT: String(await freePort()) })
  await worker
  tokens = []
  for (const cnpj of cnpjs) tokens.push(await clientOf(gateway).newTenant(cnpj))
  env = { GANCHO_URL: gateway.origin, GANCHO_TOKEN: adminToken }
  meet()
})
afterEach(async () => {
  for (const one of running) one.interrupt()
  await Promise.all(running.map(({ ended }) => ended))
  running = []
})
afterAll(() => fleet.close())

const meet = () => {
  tenants = tokens.map((token) => clientOf(gateway, token))
}
const openStreams = async () => (await samplesOf(gateway)).get('gancho_streams_open{transport="sse"}')

type Wanted = { args?: string[]; env?: Record<string, string> }

/** Starts them, and waits until the gateway has them: what happens from then on is shown. */
async function tails<const All extends readonly Wanted[]>(...all: All) {
  await until(async () => !(await openStreams()), { what: 'the end of those before' })
  const started = all.map((one) =>
    startCommand(['tail', ...(one.args ?? [])], { env: { ...env, ...one.env } }),
  )
  running.push(...started)
  await until(async () => (await openStreams()) === all.length, { what: 'the gateway has them' })
  return started as { [At in keyof All]: Running }
}
const linesOf = ({ shown }: Running) => shown().split('\n').filter(Boolean)
const changesOf = (one: Running) => linesOf(one).map((line) => JSON.parse(line) as Change)
const post = (tenant: number, type: string) =>
  (tenants[tenant] as ReturnType<typeof clientOf>).postJob({ of: tenant }, { 'x-event-type': type })
const courseOf = (one: Running, id: string) =>
  changesOf(one).flatMap(({ jobId, status }) => (jobId === id ? [status] : []))
const whole = ['RECEIVED', 'QUEUED', 'DELIVERING', 'DELIVERED']

test('shows each change as it happens, on lines without colours where nobody looks, and in colours where they are asked for', async () => {
  const [plain, coloured] = await tails({}, { env: { FORCE_COLOR: '1' } })
  const id = await post(0, 'order.created')
  for (const one of [plain, coloured])
    await until(() => one.shown().includes('DELIVERED'), { what: 'a delivery' })
  expect(linesOf(plain)).toEqual([
    expect.stringMatching(new RegExp(`^[\\d-]{10} [\\d:]{8}  ${id} +RECEIVED$`)),
    expect.stringMatching(/RECEIVED → QUEUED$/),
    expect.stringMatching(/QUEUED → DELIVERING \(attempt 1\)$/),
    expect.stringMatching(/DELIVERING → DELIVERED \(attempt 1\)$/),
  ])
  expect(coloured.shown()).toContain('\u001b[')
})

test('shows what its filters let through alone, and to a tenant what is its own', async () => {
  const [byStatus, byType, byTenant, ofTenant] = await tails(
    { args: ['--json', '--status', 'delivered,received', '--queue', 'nifi'] },
    { args: ['--json', '--type', 'invoice.paid'] },
    { args: ['--json', '--cnpj', '12.ABC.345/01DE-35'] },
    { args: ['--json'], env: { GANCHO_TOKEN: tokens[1] ?? '' } },
  )
  const [first, second, third] = [
    await post(0, 'order.created'),
    await post(1, 'invoice.paid'),
    await post(0, 'order.created'),
  ]
  await until(() => courseOf(byStatus, third).includes('DELIVERED'), { what: 'the last delivery' })
  for (const id of [first, second]) await untilStatus(clientOf(gateway), id, 'DELIVERED')
  const shown = (one: Running) => [first, second, third].map((id) => courseOf(one, id))
  const ends = ['RECEIVED', 'DELIVERED']
  await expect.poll(() => shown(byStatus)).toEqual([ends, ends, ends])
  for (const one of [byType, byTenant, ofTenant]) await expect.poll(() => shown(one)).toEqual([[], whole, []])
  const byId = await gancho(
    ['tail', '--json', '--id', second, '--after', changesOf(byStatus)[0]?.cursor ?? '', '-n', '4'],
    { env },
  )
  expect(
    byId.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).status),
  ).toEqual(whole)
})

test('a gateway that restarts costs no change and repeats none, also of those that happened meanwhile', async () => {
  const [followed] = await tails({ args: ['--json'] })
  held = []
  const meanwhile = await post(0, 'order.created')
  await until(() => held?.length === 1, { what: 'the receiver has it' })
  await until(() => courseOf(followed, meanwhile).includes('DELIVERING'), { what: 'its course so far' })
  const { port } = new URL(gateway.origin)
  expect(await gateway.stop()).toBe(0)
  for (const response of held.splice(0)) response.end()
  held = undefined
  gateway = await fleet.start('gateway', { PORT: port })
  meet()
  const afterwards = await post(1, 'order.created')
  await until(() => courseOf(followed, afterwards).includes('DELIVERED'), { what: 'what comes afterwards' })
  await until(() => courseOf(followed, meanwhile).includes('DELIVERED'), { what: 'what happened meanwhile' })
  expect(courseOf(followed, meanwhile)).toEqual(whole)
  expect(courseOf(followed, afterwards)).toEqual(whole)
  followed.interrupt()
  const { code, stderr } = await followed.ended
  expect(code).toBe(0)
  expect(stderr).toMatch(/Trying again in \d+\.\d s\.$/m)
})
