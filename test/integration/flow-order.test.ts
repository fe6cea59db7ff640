import { beforeEach, expect, test } from 'vitest'
import { createJobPlaces } from '../../src/delivery/job-places.ts'
import { orderingHash, orderingHeader } from '../../src/events/ordering.ts'
import { forgetOver } from '../../src/history/forget-jobs.ts'
import { keys } from '../../src/redis/keys.ts'
import { sampleEvent } from '../support/core.ts'
import { coreForFile } from '../support/core-for-file.ts'

const cnpj = sampleEvent.cnpj
const route = () => [{ destination: 'default', queue: 'nifi', fifo: true }]
const { core } = await coreForFile({ route })
const { transitions } = core

let keysMade = 0
let orderingKey: string
beforeEach(() => {
  keysMade += 1
  orderingKey = `key ${keysMade}`
})

const accept = () => core.accept({ orderingKey, headers: { [orderingHeader]: orderingKey } })
const accepted = async (count: number) => {
  const ns: number[] = []
  for (let i = 0; i < count; i += 1) ns.push(await accept())
  return ns as [number, number, number]
}
const line = () => core.redis.zrange(keys.order('default', cnpj, orderingHash(orderingKey)), '0', '-1')
const kinds = async (ns: readonly number[]) => (await transitions.enqueue(ns)).map(({ kind }) => kind)
const start = async (n: number, round = 0) => {
  const started = await transitions.start(n, round, 'me', 60_000)
  return started.kind === 'started' ? started.start : started.kind
}
const end = async (n: number, status: 'DELIVERED' | 'FAILED' = 'DELIVERED', round = 0) =>
  transitions.finish(n, Number(await start(n, round)), { status })
const scheduled = async (n: number, round = 0) =>
  (await core.lanes.get('nifi').queue.getJobState(`ID-${n}.r${round}`)) === 'waiting'

test('the first of a line alone is out, in whichever order dispatchers come by', async () => {
  const [a, b, c] = await accepted(3)
  expect(await kinds([c])).toEqual(['kept'])
  expect(await kinds([b])).toEqual(['kept'])
  expect(await kinds([a])).toEqual(['add'])
  await end(a)
  expect([await scheduled(b), await scheduled(c)]).toEqual([true, false])
  await end(b, 'FAILED')
  expect(await scheduled(c)).toBe(true)
  await end(c)
  expect(await line()).toEqual([])
})

test('one that is scheduled although it is not its turn is not delivered', async () => {
  const [a, b] = await accepted(2)
  await transitions.enqueue([a, b])
  expect(await start(b)).toBe('back')
  await transitions.keep(b, 0, { why: 'ORDER', until: 0 })
  await end(a)
  expect(await scheduled(b)).toBe(true)
})

test('one whose attempt did not succeed stays the first, and one that is discarded makes room', async () => {
  const [a, b, c] = await accepted(3)
  await transitions.enqueue([a, b, c])
  await transitions.finish(a, Number(await start(a)), { status: 'RETRYING', delayMs: 60_000 })
  expect(await scheduled(b)).toBe(false)
  await transitions.discard(b)
  expect(await scheduled(c)).toBe(false)
  await transitions.discard(a)
  expect(await scheduled(c)).toBe(true)
})

test('one that is queued again stands behind those that wait, in the order in which that was asked for', async () => {
  const [a, b, c] = await accepted(3)
  await transitions.enqueue([a, b, c])
  await end(a)
  await end(b)
  await transitions.requeue({ n: b, maxRounds: 5 })
  await transitions.requeue({ n: a, maxRounds: 5 })
  const last = await accept()
  await transitions.enqueue([last])
  expect(await line()).toEqual([c, b, a, last].map(String))
  await end(c)
  expect([await scheduled(b, 1), await scheduled(a, 1)]).toEqual([true, false])
})

test('one that is brought back from history stands in its line again', async () => {
  const [a, b] = await accepted(2)
  await transitions.enqueue([a, b])
  await end(a)
  const [job, body] = await Promise.all([core.job(a), core.records.body(a)])
  if (!job || !body) throw new Error('no record')
  await forgetOver(core.redis)([job])
  await transitions.requeue({ n: a, maxRounds: 5, snapshot: { job, body }, isOrdered: true })
  expect(await line()).toEqual([b, a].map(String))
  expect(await createJobPlaces(core.redis)([a])).toMatchObject([{ waitsFor: 'order', ahead: 1, first: b }])
})

test('a line whose first job is gone by a fault goes on when the sweeper looks', async () => {
  const [a, b] = await accepted(2)
  await transitions.enqueue([a, b])
  await core.redis.del(keys.job(a))
  expect(await transitions.look([b])).toEqual(['kept'])
  expect(await scheduled(b)).toBe(true)
})
