import { parse, subscribe as plainSubscribe } from 'graphql'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { jobId } from '../../src/events/job.ts'
import { createLoaders } from '../../src/graphql/loaders.ts'
import { operationOpener } from '../../src/graphql/open-operation.ts'
import type { OpenOperation } from '../../src/graphql/operation-stream.ts'
import { schema } from '../../src/graphql/schema.ts'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { encodeCursor } from '../../src/journal/cursor.ts'
import { graphql } from '../gql/gql.ts'
import type { JobEventFilter } from '../gql/graphql.ts'
import { eventually } from '../support/eventually.ts'
import { admin, requestId } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { operationClient } from '../support/operations.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'

const Watch = graphql(`
  subscription Watch($filter: JobEventFilter, $after: Cursor) {
    jobEvents(filter: $filter, after: $after) {
      __typename
      ... on JobStatusChanged { cursor jobId status previousStatus attempt at job { id status tenant { cnpj } } }
      ... on JobEventsGap { cursor reason }
    }
  }
`)
const Brief = graphql(`
  subscription Brief($filter: JobEventFilter, $after: Cursor) {
    jobEvents(filter: $filter, after: $after) { ... on JobStatusChanged { jobId status } }
  }
`)
const Named = graphql(`
  subscription Named { jobEvents { ... on JobStatusChanged { job { tenant { name } } } } }
`)
const Literal = graphql(`subscription Literal { jobEvents(after: "nonsense") { __typename } }`)
const Who = graphql(`query Who { viewer { kind } }`)

let services: TestServices
let open: OpenOperation
let owner: ReturnType<typeof operationClient>
let stranger: ReturnType<typeof operationClient>
let administrator: ReturnType<typeof operationClient>
const streams: { stream: { close(): void } }[] = []

beforeAll(async () => {
  services = await openTestServices()
  const endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  open = operationOpener({ graphql: endpoint, services, log: console })
  owner = operationClient(open, await newTenant(services.tenants, numericCnpj, 'Owner'))
  stranger = operationClient(open, await newTenant(services.tenants, alphanumericCnpj, 'Stranger'))
  administrator = operationClient(open, admin)
})
afterAll(() => services.close())
afterEach(() => {
  for (const { stream } of streams.splice(0)) stream.close()
  expect(services.liveJournal.counts()).toEqual({ groups: 0, subscribers: 0 })
})

const opened = async <Stream extends { stream: { close(): void } }>(stream: Promise<Stream>) => {
  streams.push(await stream)
  return stream
}
const accept = async (cnpj = numericCnpj, eventType: string | null = null): Promise<number> => {
  const event = { cnpj, eventType, correlationId: null, contentType: null, headers: {} }
  const { ns } = await services.intake.accept({ ...event, body: Buffer.from('{}'), idempotencyKey: null })
  return ns[0] ?? 0
}

describe('job events', () => {
  test('tell a job’s life from now on, in order, with the job as it is', async () => {
    await accept()
    const events = await opened(administrator.subscribe(Watch))
    const n = await accept()
    await jobSteps(services).fail(n)
    const all = (await events.take(4)).map(({ jobEvents }) => jobEvents)
    const id = jobId(n)
    const changes = [
      { status: 'RECEIVED', previousStatus: null, attempt: null },
      { status: 'QUEUED', previousStatus: 'RECEIVED', attempt: null },
      { status: 'DELIVERING', previousStatus: 'QUEUED', attempt: 1 },
      { status: 'FAILED', previousStatus: 'DELIVERING', attempt: 1 },
    ]
    expect(all).toMatchObject(changes.map((change) => ({ ...change, jobId: id, job: { id } })))
    expect(all[3]).toMatchObject({ job: { status: 'FAILED', tenant: { cnpj: numericCnpj } } })
    expect(events.stream.cursor()).toBe(all[3]?.cursor)
  })

  test('resume after any cursor, given as argument or as the last event id, which counts more', async () => {
    const events = await opened(administrator.subscribe(Brief))
    const ns = [await accept(), await accept(), await accept()]
    const messages = [await events.message(), await events.message(), await events.message()]
    const [first, second] = messages.map(({ cursor }) => cursor)
    const after = await opened(administrator.subscribe(Brief, { after: first ?? '' }))
    expect(await after.take(2)).toMatchObject(ns.slice(1).map((n) => ({ jobEvents: { jobId: jobId(n) } })))
    const last = await opened(
      administrator.subscribe(Brief, { after: first ?? '' }, { lastEventId: second ?? '' }),
    )
    expect(await last.data()).toMatchObject({ jobEvents: { jobId: jobId(ns[2] ?? 0) } })
  })

  test('of a tenant are its own alone', async () => {
    const [own, other, all, one] = await Promise.all([
      opened(owner.subscribe(Brief)),
      opened(stranger.subscribe(Brief, { filter: { cnpj: alphanumericCnpj } })),
      opened(administrator.subscribe(Brief)),
      opened(administrator.subscribe(Brief, { filter: { cnpj: numericCnpj } })),
    ])
    const ns = [
      await accept(alphanumericCnpj),
      await accept(numericCnpj),
      await accept(numericCnpj),
      await accept(alphanumericCnpj),
    ]
    const expected = (...indexes: number[]) =>
      indexes.map((i) => ({ jobEvents: { jobId: jobId(ns[i] ?? 0), status: 'RECEIVED' } }))
    expect(await own.take(2)).toEqual(expected(1, 2))
    expect(await one.take(2)).toEqual(expected(1, 2))
    expect(await other.take(2)).toEqual(expected(0, 3))
    expect(await all.take(4)).toEqual(expected(0, 1, 2, 3))
    expect(await stranger.codes(Brief, { filter: { cnpj: numericCnpj } })).toEqual(['FORBIDDEN'])
  })

  test('come filtered, and a cursor goes on where nothing fits', async () => {
    const after = encodeCursor(await services.liveJournal.end())
    const first = await accept(numericCnpj, 'order.paid')
    const second = await accept(numericCnpj, 'order.sent')
    await jobSteps(services).deliver(second)
    const firstOf = async (filter: JobEventFilter) =>
      (await opened(administrator.subscribe(Brief, { filter, after }))).data()
    const received = (n: number) => ({ jobEvents: { jobId: jobId(n), status: 'RECEIVED' } })
    expect(await firstOf({ ids: [jobId(second)] })).toEqual(received(second))
    expect(await firstOf({ eventType: 'order.sent' })).toEqual(received(second))
    expect(await firstOf({ queue: 'nifi' })).toEqual(received(first))
    const delivered = { jobEvents: { jobId: jobId(second), status: 'DELIVERED' } }
    expect(await firstOf({ statuses: ['DELIVERED', 'FAILED'] })).toEqual(delivered)
    for (const filter of [{ ids: [] }, { statuses: [] }, { queue: 'other' }, { ids: ['nothing'] }]) {
      const { stream, data } = await opened(administrator.subscribe(Brief, { filter, after }))
      const never = data().catch((error: Error) => error.message)
      const end = encodeCursor(await services.liveJournal.end())
      await eventually(() => expect(stream.cursor()).toBe(end))
      stream.close()
      expect(await never).toBe('The stream has ended.')
    }
  })

  test('show the tenant by the name that it has by now', async () => {
    const events = await opened(owner.subscribe(Named))
    const nameNow = async () => {
      await accept()
      return (await events.data()).jobEvents
    }
    expect(await nameNow()).toEqual({ job: { tenant: { name: 'Owner' } } })
    await services.tenants.updateTenant(numericCnpj, { name: 'Renamed' })
    expect(await nameNow()).toEqual({ job: { tenant: { name: 'Renamed' } } })
    await services.tenants.updateTenant(numericCnpj, { name: 'Owner' })
  })

  test('tell of a gap', async () => {
    const after = encodeCursor({ epoch: 'another', id: '1-1' })
    const events = await opened(administrator.subscribe(Watch, { after }))
    expect(await events.take(2)).toMatchObject([
      { jobEvents: { __typename: 'JobEventsGap', reason: 'JOURNAL_REPLACED' } },
      { jobEvents: { __typename: 'JobStatusChanged' } },
    ])
  })

  test('have no job where it is gone', async () => {
    const after = encodeCursor(await services.liveJournal.end())
    const n = await accept()
    await jobSteps(services).deliver(n)
    await services.historyCaughtUp()
    // Delivered and projected, it is in history alone.
    await eventually(async () => expect(await services.records.jobs([n])).toEqual([]))
    await services.stores.history.removeFinished(Date.now() + 60_000, 1_000)
    const events = await opened(administrator.subscribe(Watch, { after, filter: { ids: [jobId(n)] } }))
    expect(await events.data()).toMatchObject({ jobEvents: { jobId: jobId(n), job: null } })
  })
})

describe('a thousand subscribers to the same', () => {
  test('are given the very same batches, for which jobs were read once', async () => {
    const events = await Promise.all(
      Array.from({ length: 1_000 }, () => opened(owner.subscribe(Watch, { filter: { queue: 'nifi' } }))),
    )
    expect(services.liveJournal.counts()).toEqual({ groups: 1, subscribers: 1_000 })
    const reads = vi.spyOn(services.jobs, 'jobs')
    const n = await accept()
    const messages = await Promise.all(events.map(({ message }) => message()))
    expect(JSON.parse(messages[0]?.json ?? '')).toMatchObject({ data: { jobEvents: { jobId: jobId(n) } } })
    expect(new Set(messages).size).toBe(1)
    expect(reads).toHaveBeenCalledTimes(1)
    reads.mockRestore()
  })

  test('and those to twenty different things do not all read jobs at one time', async () => {
    const events = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        opened(owner.subscribe(Watch, { filter: { statuses: Array(i + 1).fill('RECEIVED') } })),
      ),
    )
    const readJobs = services.jobs.jobs
    let [reading, most] = [0, 0]
    const reads = vi.spyOn(services.jobs, 'jobs').mockImplementation(async (ns) => {
      reading += 1
      most = Math.max(most, reading)
      return readJobs(ns).finally(() => {
        reading -= 1
      })
    })
    const n = await accept()
    for (const event of await Promise.all(events.map(({ data }) => data())))
      expect(event).toMatchObject({ jobEvents: { job: { id: jobId(n) } } })
    expect([most, reads.mock.calls.length]).toEqual([8, 20])
    reads.mockRestore()
  })

  test('are no group where documents, variables or views differ', async () => {
    const after = encodeCursor(await services.liveJournal.end())
    await opened(owner.subscribe(Brief))
    await opened(owner.subscribe(Brief, { after }))
    expect(services.liveJournal.counts()).toEqual({ groups: 1, subscribers: 2 })
    await opened(owner.subscribe(Watch))
    await opened(owner.subscribe(Brief, { filter: { queue: 'nifi' } }))
    await opened(stranger.subscribe(Brief))
    await opened(administrator.subscribe(Brief))
    await opened(operationClient(open, { kind: 'admin', name: 'reader', access: 'read' }).subscribe(Brief))
    expect(services.liveJournal.counts()).toEqual({ groups: 6, subscribers: 7 })
  })
})

describe('an operation', () => {
  test('that is no subscription is answered with its result', async () => {
    expect(await administrator.send(Who)).toMatchObject({
      ...{ kind: 'result', status: 200 },
      result: { data: { viewer: { kind: 'ADMIN' } } },
    })
  })

  test('with a cursor that is none is refused', async () => {
    expect(await administrator.codes(Brief, { after: 'nonsense' })).toEqual(['INVALID_CURSOR'])
    expect(await administrator.codes(Literal)).toEqual(['INVALID_CURSOR'])
    expect(await administrator.codes(Brief, {}, { lastEventId: 'nonsense' })).toEqual(['INVALID_CURSOR'])
  })

  test('that is not valid is answered with what is wrong, and no status inside', async () => {
    const context = {
      principal: admin,
      requestId,
      identify: async () => ({ kind: 'admin', name: 'x' }) as const,
    }
    const code = async (query: string) => {
      const answer = await open({ query }, context)
      if (answer.kind !== 'result') throw new Error('It was opened.')
      const [error] = answer.result.errors ?? []
      expect(error?.extensions).toEqual({ code: expect.any(String) as string, requestId })
      return [answer.status, error?.extensions.code]
    }
    expect(await code('subscription { jobEvents {')).toEqual([400, 'GRAPHQL_PARSE_FAILED'])
    expect(await code('subscription { nothing }')).toEqual([400, 'GRAPHQL_VALIDATION_FAILED'])
  })
})

test('job events can be had by plain GraphQL too', async () => {
  const n = await accept()
  const contextValue = {
    ...{ principal: admin, requestId, services, maxEventBytes: 1_000 },
    loaders: createLoaders(services, admin),
  }
  const after = encodeCursor({ epoch: services.dataSet.epoch(), id: '0-0' })
  const variableValues = { after, filter: { ids: [jobId(n)] } }
  const document = parse(Brief.toString())
  const results = await plainSubscribe({ schema, document, contextValue, variableValues })
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results))
  const iterator = results[Symbol.asyncIterator]()
  expect((await iterator.next()).value).toEqual({
    data: { jobEvents: { jobId: jobId(n), status: 'RECEIVED' } },
  })
  await iterator.return?.()
})
