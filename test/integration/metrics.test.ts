import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type clientOf, until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'
import {
  samplesOf as samplesOfProcess,
  scrape as scrapeMetrics,
  untilShown as untilSamplesShow,
} from '../support/metrics.ts'

let fleet: Fleet
let gateway: GanchoProcess
let worker: GanchoProcess
let admin: ReturnType<typeof clientOf>
let tenant: ReturnType<typeof clientOf>
/** What the receiver answers to the first attempts at a job, and to all others. */
let status = { first: 200, later: 200 }

const metricsToken = 'a token for metrics alone'.replaceAll(' ', '-')

beforeAll(async () => {
  fleet = await openFleet({
    answer(response, { headers }) {
      response.statusCode = headers['x-gancho-attempt'] === '1' ? status.first : status.later
      response.end()
    },
  })
  gateway = await fleet.start('gateway')
  worker = await fleet.start('worker', { METRICS_TOKEN: metricsToken })
  ;({ admin, tenant } = await clientsOf(gateway))
})
afterAll(() => fleet.close())

const scrape = (of: GanchoProcess, token = metricsToken) => scrapeMetrics(of, token)
const samplesOf = (of: GanchoProcess) => samplesOfProcess(of, metricsToken)
const untilShown = (of: GanchoProcess, expected: Record<string, number>) =>
  untilSamplesShow(of, expected, metricsToken)

test('events are counted by what became of them', async () => {
  await tenant.post({ a: 1 }, { 'idempotency-key': 'one' })
  await tenant.post({ a: 1 }, { 'idempotency-key': 'one' })
  await tenant.post({ a: 2 }, { 'idempotency-key': 'one' })
  await tenant.post('{not json')
  await admin.post({ a: 1 })
  for (const token of ['nobody-has-this', 'nobody-has-this'])
    await fetch(`${gateway.origin}/webhook`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    })
  await fetch(`${gateway.origin}/webhook/src_unknown`, { method: 'POST', body: 'x' })
  const publish =
    'mutation ($key: String) { publishEvent(input: { payload: 1, idempotencyKey: $key }) { eventId } }'
  await tenant.graphql(publish, { key: 'two' })
  await expect(tenant.graphql(publish, { key: 'one' })).rejects.toThrow('IDEMPOTENCY_CONFLICT')
  await untilShown(gateway, {
    gancho_events_accepted_total: 2,
    gancho_events_repeated_total: 1,
    'gancho_events_refused_total{code="IDEMPOTENCY_CONFLICT"}': 2,
    'gancho_events_refused_total{code="INVALID_JSON"}': 1,
    'gancho_events_refused_total{code="FORBIDDEN"}': 1,
    'gancho_events_refused_total{code="UNAUTHENTICATED"}': 2,
    'gancho_events_refused_total{code="SOURCE_NOT_FOUND"}': 1,
    gancho_tenant_cache_tenants: 1,
    gancho_tenant_cache_lookups_total: 1,
    gancho_tenant_cache_misses_total: 1,
    gancho_tenant_cache_stale_seconds: 0,
    gancho_redis_up: 1,
  })
  const samples = await samplesOf(gateway)
  expect(samples.get('gancho_tenant_cache_hits_total')).toBeGreaterThan(5)
  expect(samples.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0)
})

test('deliveries are counted by what they came to, with their times', async () => {
  await until(() => fleet.receiver.received.length === 2, { what: 'the events of before' })
  status = { first: 410, later: 410 }
  const failed = await tenant.postJob({ a: 3 })
  await untilStatus(tenant, failed, 'FAILED')
  status = { first: 503, later: 200 }
  const retried = await tenant.postJob({ a: 4 })
  await untilStatus(tenant, retried, 'DELIVERED')
  const samples = await untilShown(worker, {
    'gancho_jobs_delivered_total{queue="nifi"}': 3,
    'gancho_jobs_failed_total{queue="nifi"}': 1,
    'gancho_delivery_attempt_duration_seconds_count{queue="nifi",outcome="DELIVERED"}': 3,
    'gancho_delivery_attempt_duration_seconds_count{queue="nifi",outcome="FAILED"}': 1,
    'gancho_delivery_latency_seconds_count{queue="nifi"}': 3,
    'gancho_queue_jobs{queue="nifi",state="waiting"}': 0,
    'gancho_queue_jobs{queue="nifi",state="failed"}': 1,
    'gancho_queue_paused{queue="nifi"}': 0,
    gancho_backlog_events: 0,
    gancho_projector_lag_seconds: 0,
  })
  const retries = samples.get('gancho_jobs_retried_total{queue="nifi"}')
  expect(retries).toBeGreaterThanOrEqual(1)
  expect(samples.get('gancho_delivery_attempt_duration_seconds_count{queue="nifi",outcome="RETRY"}')).toBe(
    retries,
  )
  const latency = samples.get('gancho_delivery_latency_seconds_sum{queue="nifi"}') ?? -1
  expect(latency).toBeGreaterThan(0)
  expect(latency).toBeLessThan(60)
  expect(samples.get('gancho_journal_entries')).toBeGreaterThan(8)
  expect(samples.get('gancho_redis_round_trip_seconds')).toBeGreaterThan(0)
})

test('the names are those of the documentation, and none of them tells of a tenant', async () => {
  const documented = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name))
  for (const process of [gateway, worker]) {
    const text = await (await scrape(process)).text()
    const shown = [...text.matchAll(/^# TYPE (gancho_\w+) /gm)].map(([, name]) => name)
    expect(shown.toSorted()).toEqual(documented.toSorted())
    expect(text).not.toMatch(/11222333000181/)
  }
})

test('with a token of its own nobody reads them who does not show it', async () => {
  for (const token of ['', 'wrong', adminToken]) {
    const response = await scrape(worker, token)
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await response.json()).toMatchObject({ error: { code: 'UNAUTHENTICATED' } })
  }
  expect((await fetch(`${gateway.origin}/metrics`)).status).toBe(200)
})

test('a scrape while Redis is away is answered soon, and says so', async () => {
  await fleet.redis.kill9()
  for (const process of [gateway, worker]) {
    await expect.poll(async () => (await samplesOf(process)).get('gancho_redis_up')).toBe(0)
    const start = performance.now()
    const samples = await samplesOf(process)
    expect(performance.now() - start).toBeLessThan(15_000)
    expect(samples.has('gancho_backlog_events')).toBe(false)
    expect([...samples.keys()].some((name) => name.startsWith('gancho_queue_jobs{'))).toBe(false)
    expect(samples.has('gancho_events_accepted_total')).toBe(true)
  }
  await fleet.redis.restart({ keepData: true })
  await untilShown(gateway, { gancho_redis_up: 1, gancho_backlog_events: 0 })
})
