import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Job } from '../../src/events/job.ts'
import { dropAttempts } from '../../src/history/drop-attempts.ts'
import { forgetOver } from '../../src/history/forget-jobs.ts'
import type { HistoryStore } from '../../src/history/history-store.ts'
import { statNames, statSpans } from '../../src/history/job-stats.ts'
import { createProjector } from '../../src/history/projector.ts'
import type { Lease } from '../../src/redis/lease.ts'
import { until } from '../support/client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'

type Kind = 'accept' | 'deliver' | 'fail' | 'retry' | 'reprocess' | 'discard'
type Step = { kind: Kind; tenant: number; pick: number }

const cnpjs = [numericCnpj, alphanumericCnpj] as const
const noLease: Lease = { hold: async () => true, release: async () => undefined }

let services: TestServices
let steps: ReturnType<typeof jobSteps>
let rival: ReturnType<typeof startRival>

beforeAll(async () => {
  services = await openTestServices()
  steps = jobSteps(services)
  for (const cnpj of cnpjs) await newTenant(services.tenants, cnpj, cnpj)
  rival = startRival()
})
afterAll(async () => {
  const stopped = rival.stop()
  await services.close()
  await stopped
})

/** Believes that it alone writes history, and dies again and again before it has written a batch or before it hears that it has. */
function startRival() {
  const { connections, stores, records, dataSet } = services
  const { patient } = connections
  let writes = 0
  const record: HistoryStore['record'] = async (...args) => {
    writes += 1
    if (writes % 5 === 2) throw new Error('killed before')
    const moved = await stores.history.record(...args)
    if (writes % 5 === 4) throw new Error('killed behind')
    return moved
  }
  const { history } = stores
  const projector = createProjector({
    ...{ redis: patient, records, epoch: dataSet.current, lease: noLease, log: pino({ level: 'silent' }) },
    reader: connections.dedicated('rival'),
    forget: forgetOver(patient),
    dropAttempts: dropAttempts(patient),
    history: {
      record,
      position: () => history.position(),
      failUnfinished: (failure, limit) => history.failUnfinished(failure, limit),
      jobs: (ns) => history.jobs(ns),
    },
  })
  projector.start()
  return { stop: projector.stop, writes: () => writes }
}

const all: number[] = []
const accept = async (tenant: number) => {
  const event = { eventType: null, correlationId: null, contentType: null, headers: {}, idempotencyKey: null }
  const cnpj = cnpjs[tenant] ?? numericCnpj
  const { ns } = await services.intake.accept({ ...event, cnpj, body: Buffer.from('x') })
  all.push(...ns)
}

const after: Record<Exclude<Kind, 'accept'>, readonly Job['status'][]> = {
  deliver: ['RECEIVED', 'QUEUED'],
  fail: ['RECEIVED', 'QUEUED'],
  retry: ['RECEIVED', 'QUEUED'],
  reprocess: ['FAILED', 'DELIVERED'],
  discard: ['RECEIVED', 'QUEUED', 'RETRYING', 'FAILED'],
}

async function take({ kind, tenant, pick }: Step): Promise<void> {
  if (kind === 'accept') return accept(tenant)
  const fitting = (await services.jobs.jobs(all)).filter(({ status }) => after[kind].includes(status))
  const n = fitting[pick % fitting.length]?.n
  if (n === undefined) return accept(tenant)
  if (kind === 'retry') await steps.retryLater(n, 60_000)
  else if (kind === 'reprocess') await services.reprocess.reprocess({ n })
  else if (kind === 'discard') await services.reprocess.discard(n)
  else await steps[kind](n)
}

/** What the tables have, looked through job by job. */
async function direct(cnpj: string) {
  const { history } = services.stores
  const jobs = (await history.jobs(all)).filter((job) => job.cnpj === cnpj)
  const ns = jobs.map(({ n }) => n)
  const attempts = [...(await history.attempts(ns)).values()].flat()
  const rounds = [...(await history.rounds(ns)).values()].flat()
  const ended = (outcome: string) => attempts.filter((one) => one.outcome === outcome).length
  return {
    received: jobs.length,
    delivered: ended('DELIVERED'),
    failed: ended('FAILED'),
    retried: ended('RETRY'),
    requeued: rounds.length,
    discarded: jobs.filter(({ status }) => status === 'DISCARDED').length,
    latencies: attempts.filter(({ outcome, round }) => outcome === 'DELIVERED' && round === 0).length,
  }
}

async function counted(cnpj: string, spanMs: number) {
  const from = Date.now() - (Date.now() % spanMs) - 120 * spanMs
  const query = { spanMs, sizeMs: spanMs, from, to: from + 240 * spanMs, filter: { cnpj } }
  const counts = [...(await services.stores.stats.counts(query)).values()]
  const latencies = [...(await services.stores.stats.latencies(query)).values()]
  const sums = statNames.map((name) => [name, counts.reduce((sum, one) => sum + one[name], 0)])
  const measured = latencies.flatMap((one) => [...one.values()]).reduce((sum, jobs) => sum + jobs, 0)
  return { ...Object.fromEntries(sums), latencies: measured }
}

const kinds = ['accept', 'deliver', 'fail', 'retry', 'reprocess', 'discard'] as const
const anyStep = fc.record({ kind: fc.constantFrom(...kinds), tenant: fc.nat(1), pick: fc.nat(1_000) })

async function expectCountsToMatch() {
  await services.historyCaughtUp()
  for (const cnpj of cnpjs)
    for (const spanMs of statSpans) expect(await counted(cnpj, spanMs)).toEqual(await direct(cnpj))
}

test('what was counted is what the tables have, whatever happened and however often its writers died', async () => {
  const property = fc.asyncProperty(fc.array(anyStep, { minLength: 25, maxLength: 40 }), async (taken) => {
    for (const step of taken) await take(step)
    await expectCountsToMatch()
  })
  await fc.assert(property, { numRuns: 5, endOnFailure: true })
  const hasDiedBothWays = async () => {
    await accept(0)
    return rival.writes() >= 5
  }
  await until(hasDiedBothWays, { what: 'the other has died before and behind a write' })
  await expectCountsToMatch()
})
