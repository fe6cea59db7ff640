import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { jobId } from '../../src/events/job.ts'
import { documentLimits } from '../../src/graphql/document.ts'
import { createLoaders } from '../../src/graphql/loaders.ts'
import { operationOpener } from '../../src/graphql/open-operation.ts'
import type { OpenOperation, OperationStream } from '../../src/graphql/operation-stream.ts'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { Pacer } from '../../src/journal/pacer.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'
import { eventually } from '../support/eventually.ts'
import { requestId } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'

/** As many as a tenant may have, with the one that tells that they have begun. */
const groups = 99
const aliases = (count: number, field: string) =>
  Array.from({ length: count }, (_, i) => `f${i}: ${field}`).join(' ')
const heavy = `... on JobStatusChanged { ${aliases(600, 'jobId')} }`
const reading = `... on JobStatusChanged { job { ${aliases(550, 'explanation')} tenant { cnpj } attempts { number } } }`
const light = 'subscription { jobEvents { ... on JobStatusChanged { jobId } } }'
const first = 'the first'
const ofFirst = `subscription { jobEvents(filter: { eventType: "${first}" }) { __typename } }`

type Principal = { kind: 'tenant'; tenant: Tenant }

let services: TestServices
let open: OpenOperation
let owner: Principal
let stranger: Principal
const streams: OperationStream[] = []

beforeAll(async () => {
  services = await openTestServices()
  const limits = { ...documentLimits, tokens: 2_000, aliases: 1_000 }
  const endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000, limits })
  open = operationOpener({ graphql: endpoint, services, log: console })
  owner = (await newTenant(services.tenants, numericCnpj, 'Owner')) as Principal
  stranger = (await newTenant(services.tenants, alphanumericCnpj, 'Stranger')) as Principal
})
afterAll(() => services.close())
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close()
  expect(services.liveJournal.counts()).toEqual({ groups: 0, subscribers: 0 })
})

const ask = (principal: Principal, query: string, variables?: Record<string, unknown>) =>
  open({ query, variables }, { principal, requestId, identify: async () => ({ kind: 'admin', name: 'x' }) })

/** Reads on and on; counts what came. */
async function follow(principal: Principal, query: string) {
  const opened = await ask(principal, query)
  if (opened.kind === 'result') throw new Error(JSON.stringify(opened.result))
  const { stream } = opened
  streams.push(stream)
  const got: string[] = []
  void (async () => {
    for await (const { messages } of stream.batches) got.push(...messages.map(({ json }) => json))
  })()
  return got
}

async function accept(cnpj: string, count = 1): Promise<number[]> {
  const event = { cnpj, correlationId: null, contentType: null, headers: {} }
  const one = (_: unknown, i: number) => {
    const eventType = i === 0 ? first : null
    return services.intake.accept({ ...event, eventType, body: Buffer.from('{}'), idempotencyKey: null })
  }
  return (await Promise.all(Array.from({ length: count }, one))).map(({ ns }) => ns[0] ?? 0)
}

/**
 * How long something takes, and for how long nothing else could be done meanwhile, in milliseconds that this thread computed: for how
 * long the machine had it stand still says nothing of what it does.
 */
async function stallsOf(work: () => Promise<void>) {
  const computedMs = () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1_000
  }
  const begun = computedMs()
  let [last, longestMs] = [begun, 0]
  const looking = setInterval(() => {
    const now = computedMs()
    longestMs = Math.max(longestMs, now - last)
    last = now
  }, 1)
  await work()
  clearInterval(looking)
  return { tookMs: computedMs() - begun, longestMs: Math.max(longestMs, computedMs() - last) }
}

test.each([
  ['of many fields', heavy, 60],
  ['that read jobs', reading, 30],
])(
  'many documents %s do not hold up the process, nor what another tenant gets',
  async (_kind, selection, burst) => {
    const other = await follow(stranger, light)
    const otherReading = await follow(stranger, `subscription { jobEvents { ${reading} } }`)
    const all = await Promise.all(
      Array.from({ length: groups }, (_, i) =>
        follow(owner, `subscription S${i} { jobEvents { ${selection} } }`),
      ),
    )
    const total = () => all.reduce((sum, got) => sum + got.length, 0)
    // Whoever wants one alone of the many has it in its turn, when the others have begun.
    const begun = await follow(owner, ofFirst)
    const reads = vi.spyOn(services.jobs, 'jobs')
    let doneByThen = 0
    const { tookMs, longestMs } = await stallsOf(async () => {
      await accept(numericCnpj, burst)
      await eventually(() => expect(begun.length).toBe(1), 1)
      const [n] = await accept(alphanumericCnpj)
      await eventually(() => expect([other.length, otherReading.length]).toEqual([1, 1]), 1)
      doneByThen = total()
      expect(JSON.parse(other[0] ?? '')).toEqual({ data: { jobEvents: { jobId: jobId(n ?? 0) } } })
      // For as long as they get on: beside other work on the machine they need more than the minute of one wait.
      while (total() < groups * burst) {
        const before = total()
        await eventually(() => expect(total()).toBeGreaterThan(before), 5)
      }
      expect(total()).toBe(groups * burst)
    })
    // Those of one document are still read together.
    expect(reads.mock.calls.length).toBeLessThan((groups * burst) / 5)
    reads.mockRestore()
    expect(doneByThen).toBeLessThan(groups * burst * 0.9)
    // Without turns it is all of it.
    expect(longestMs).toBeLessThan(tookMs / 3)
  },
  600_000,
)

test('jobs that were read together are worked on in turns of their own', async () => {
  const ns = await accept(numericCnpj, 20)
  const pacer = new Pacer()
  const loaders = createLoaders(services, owner, () => pacer.turn({ owner: 'one', group: 'one' }))
  const reads = vi.spyOn(services.jobs, 'jobs')
  let done = 0
  const all = ns.map(async (n) => {
    await loaders.job.load(n)
    const end = performance.now() + 4
    while (performance.now() < end);
    done += 1
  })
  let most = 0
  while (done < ns.length) {
    const before = done
    await turnOfLoop()
    most = Math.max(most, done - before)
  }
  await Promise.all(all)
  expect(reads).toHaveBeenCalledTimes(1)
  reads.mockRestore()
  // Two turns of ten milliseconds at most, and what was begun within them.
  expect(most).toBeLessThanOrEqual(6)
})

test('a tenant has at most a hundred different documents, each for any number of subscriptions', async () => {
  const documents = Array.from({ length: 100 }, (_, i) => `subscription S${i} { jobEvents { __typename } }`)
  for (const query of documents) await follow(owner, query)
  const another = 'subscription Another { jobEvents { __typename } }'
  const refused = await ask(owner, another)
  if (refused.kind === 'stream') throw new Error('It was opened.')
  expect(refused.status).toBe(429)
  expect(refused.result.errors?.[0]).toMatchObject({
    message: expect.stringContaining('as variables') as string,
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' },
  })
  // The same ones again, and others' own.
  await follow(owner, documents[0] ?? '')
  await follow(stranger, another)

  streams[0]?.close()
  expect((await ask(owner, another)).kind).toBe('result')
  streams[100]?.close()
  await follow(owner, another)
})
