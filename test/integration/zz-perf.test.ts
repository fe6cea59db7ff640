import { afterAll, beforeAll, test } from 'vitest'
import { operationOpener } from '../../src/graphql/open-operation.ts'
import type { OpenOperation } from '../../src/graphql/operation-stream.ts'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { admin, requestId } from '../support/graphql-client.ts'
import { journalWriter } from '../support/live-journal.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
let services: TestServices
let open: OpenOperation
beforeAll(async () => {
  services = await openTestServices()
  const endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  open = operationOpener({ graphql: endpoint, services, log: console })
})
afterAll(() => services.close())
const identify = async () => ({ kind: 'admin', name: 'x' }) as const
const sub = async (query: string, variables = {}) => {
  const o = await open({ query, variables }, { principal: admin, requestId, identify })
  if (o.kind !== 'stream') throw new Error(JSON.stringify(o.result))
  let got = 0
  let error: unknown
  const done = (async () => { for await (const b of o.stream.batches) got += b.messages.length })().catch((e) => { error = e })
  return { got: () => got, stream: o.stream, done, error: () => error }
}
test('perf', async () => {
  const w = journalWriter(services.server.url)
  for (const [name, q] of [['brief', 'subscription { jobEvents { ... on JobStatusChanged { cursor jobId status at } } }'], ['job', 'subscription { jobEvents { ... on JobStatusChanged { cursor jobId status job { id status } } } }']] as const) {
    const subs = await Promise.all(Array.from({ length: 500 }, () => sub(q)))
    const N = 20_000
    const t = performance.now(); const c = process.cpuUsage()
    for (let i = 0; i < N / 500; i++) await w.append(500)
    const tw = performance.now() - t
    while (subs.some((s) => s.got() < N && !s.error())) await new Promise((r) => setTimeout(r, 5))
    const cpu = process.cpuUsage(c)
    console.log(name, 'written', tw | 0, 'ms; all got', (performance.now() - t) | 0, 'ms; cpu', ((cpu.user + cpu.system) / 1000) | 0, 'errors', subs.filter((s) => s.error()).length, String(subs[0]?.error()))
    for (const s of subs) s.stream.close()
    await Promise.all(subs.map((s) => s.done))
  }
  global.gc?.()
  const m0 = process.memoryUsage().heapUsed
  const many = await Promise.all(Array.from({ length: 10_000 }, () => sub('subscription { jobEvents { ... on JobStatusChanged { cursor } } }')))
  global.gc?.()
  const m1 = process.memoryUsage().heapUsed
  for (const s of many) s.stream.close()
  await Promise.all(many.map((s) => s.done))
  many.length = 0
  global.gc?.()
  await new Promise((r) => setTimeout(r, 100))
  global.gc?.()
  console.log('heap MB', (m0 / 1e6) | 0, (m1 / 1e6) | 0, (process.memoryUsage().heapUsed / 1e6) | 0, 'gc' , !!global.gc, services.liveJournal.counts())
  w.close()
}, 120_000)
