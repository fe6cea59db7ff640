import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { type Collector, startCollector } from '../support/collector.ts'
import { clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'

const sender = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' }
const traceparent = (flags: string) => `00-${sender.trace}-${sender.span}-${flags}`

let collector: Collector
let fleet: Fleet
let gateway: GanchoProcess
let worker: GanchoProcess
let tenant: ReturnType<typeof clientOf>
/** Statuses of the next answers of the receiver, which then answers 200. */
let failures: number[] = []

beforeAll(async () => {
  collector = await startCollector()
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  }
  fleet = await openFleet({ answer: (response) => response.writeHead(failures.shift() ?? 200).end(), env })
  const started = fleet.start('worker')
  gateway = await fleet.start('gateway')
  worker = await started
  tenant = (await clientsOf(gateway)).tenant
})
afterAll(async () => {
  await fleet.close()
  await collector.close()
})

const spansOf = (name: string, id: string) =>
  collector.spans.filter(
    ({ name: of, attributes }) =>
      of === name && (attributes['gancho.job.id'] === id || attributes['gancho.job.ids'] === id),
  )
/** The gateway tells of its acceptance and the worker of its attempts, in whichever order. */
const untilTold = (id: string, attempts: number) =>
  until(() => spansOf('accept event', id).length === 1 && spansOf('deliver', id).length === attempts, {
    what: () => `${id} and its attempts at the collector, which has ${JSON.stringify(collector.spans)}`,
  })
const delivered = (id: string) => untilStatus(clientOf(gateway), id, 'DELIVERED')
const arrivals = (id: string) =>
  fleet.receiver.received.filter(({ headers }) => headers['x-gancho-job'] === id)

test("an event is told in its sender's trace, from acceptance to each attempt, over two processes, and so is its receiver", async () => {
  failures = [500]
  const id = await tenant.postJob(
    { traced: true },
    { traceparent: traceparent('01'), tracestate: 'vendor=1' },
  )
  await delivered(id)
  await untilTold(id, 2)
  const [accepted] = spansOf('accept event', id)
  expect(accepted).toMatchObject({
    traceId: sender.trace,
    parentSpanId: sender.span,
    failure: undefined,
    resource: { 'service.name': 'gancho', 'deployment.environment.name': 'test' },
  })
  const attempts = spansOf('deliver', id)
  expect(
    attempts.map(({ traceId, parentSpanId, failure, attributes }) => [
      traceId,
      parentSpanId,
      failure,
      attributes['gancho.attempt'],
    ]),
  ).toEqual([
    [sender.trace, accepted?.spanId, 'answered 500', 1],
    [sender.trace, accepted?.spanId, undefined, 2],
  ])
  const tellers = [accepted, ...attempts].map((span) => String(span?.resource['service.instance.id']))
  expect(tellers.map((name) => name.split('.').at(-2))).toEqual(
    [gateway.pid, worker.pid, worker.pid].map(String),
  )
  expect(arrivals(id).map(({ headers }) => [headers.traceparent, headers.tracestate])).toEqual(
    attempts.map(({ spanId }) => [`00-${sender.trace}-${spanId}-01`, 'vendor=1']),
  )
})

test('an event over GraphQL is told below its operation, in a trace of its own', async () => {
  const mutation = `mutation Publish { publishEvent(input: { payload: { a: 1 } }) { jobs { id } } }`
  const { publishEvent } = await tenant.graphql<{ publishEvent: { jobs: { id: string }[] } }>(mutation)
  const id = publishEvent.jobs[0]?.id ?? ''
  await delivered(id)
  await untilTold(id, 1)
  const [accepted] = spansOf('accept event', id)
  const operation = await until(
    () => collector.spans.find(({ spanId }) => spanId === accepted?.parentSpanId),
    {
      what: 'its operation at the collector',
    },
  )
  expect(operation).toMatchObject({ name: 'GraphQL mutation Publish', parentSpanId: undefined })
  expect(operation.traceId).toBe(spansOf('deliver', id)[0]?.traceId)
  expect(operation.traceId).not.toBe(sender.trace)
})

test('what its sender does not sample is not told, and passed on all the same', async () => {
  const id = await tenant.postJob({ traced: false }, { traceparent: traceparent('00') })
  await delivered(id)
  // Spans are sent in their order: those of a later job come behind.
  const later = await tenant.postJob({ traced: true })
  await untilTold(later, 1)
  expect([...spansOf('accept event', id), ...spansOf('deliver', id)]).toEqual([])
  expect(arrivals(id)[0]?.headers.traceparent).toMatch(new RegExp(`^00-${sender.trace}-[0-9a-f]{16}-00$`))
})

test('a collector that goes away is in nobody’s way, and told of once', async () => {
  await collector.close()
  const id = await tenant.postJob({ traced: true })
  await delivered(id)
  await until(() => /OpenTelemetry: .*(ECONNREFUSED|ECONNRESET|EPIPE|socket hang up)/.test(worker.output()), {
    what: 'a line in the log',
  })
  const stopped = await worker.stop()
  expect(stopped).toBe(0)
  expect(worker.output().match(/OpenTelemetry: /g)).toHaveLength(1)
})
