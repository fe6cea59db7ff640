import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { createIntake } from '../../src/events/intake.ts'
import { defaultRouter } from '../../src/events/routing.ts'
import { createDataSet } from '../../src/history/data-set.ts'
import { openConnections } from '../../src/redis/connections.ts'
import { keys } from '../../src/redis/keys.ts'
import { sampleJob, snapshot } from '../contract/sample-jobs.ts'
import { type Core, openCore, patient, sampleEvent } from '../support/core.ts'
import { eventually } from '../support/eventually.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const log = pino({ level: 'silent' })
const opened: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})
const keep = <Part>(part: Part, close: (part: Part) => unknown): Part => {
  opened.push(() => close(part) as Promise<unknown>)
  return part
}

/** The 2 s that a sender is promised, and what a busy machine adds. */
const boundMs = 10_000
/** Nobody waited for the deadline of a command. */
const atOnce = { cause: { message: expect.not.stringContaining('timed out') } }
const away = { code: 'REDIS_UNAVAILABLE', status: 503, retryAfterSeconds: 1 }

/** What became of one event, and after how long. */
async function refusal(core: Core, intake = core.intake) {
  const startedAt = performance.now()
  const error = await intake.accept(sampleEvent).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  return { error, ms: performance.now() - startedAt }
}

/** Resolves when intake is connected the next time, however often it fails before. */
const isReadyAgain = ({ connections }: Pick<Core, 'connections'>) =>
  new Promise((resolve) => connections.intake.once('ready', resolve))

/** Cuts the wire; resolves when intake is connected again. */
async function cutAndReconnect(core: Core, wire: TcpProxy) {
  const isBack = isReadyAgain(core)
  wire.cut()
  await isBack
}

/** Intake behind a wire that can be cut, and a look at Redis that goes past it. */
async function openBehindWire(
  options: Parameters<typeof openCore>[1] = {},
): Promise<{ core: Core; direct: Core; wire: TcpProxy }> {
  const server = keep(await startTestRedis(), (redis) => redis.stop())
  const wire = keep(await startTcpProxy(server.port), (proxy) => proxy.close())
  const core = keep(await openCore(`redis://127.0.0.1:${wire.port}`, options), (one) => one.close())
  const direct = keep(await openCore(server.url), (one) => one.close())
  await core.accept()
  return { core, direct, wire }
}

test('an answer that never comes is told as such within 2 s, and the event is there once, also when the wire is back', async () => {
  const { core, direct, wire } = await openBehindWire({ commandTimeoutMs: null })
  wire.swallowAnswers()
  const { error, ms } = await refusal(core)
  expect(error).toMatchObject(away)
  expect(ms).toBeLessThan(boundMs)
  await cutAndReconnect(core, wire)
  expect(await core.accept()).toBe(3)
  expect(await direct.redis.xlen(keys.inbox)).toBe(3)
})

test('a connection cut before the answer is told at once, and the append is not sent again', async () => {
  const { core, direct, wire } = await openBehindWire()
  wire.swallowAnswers()
  const refused = refusal(core)
  await eventually(async () => expect(await direct.redis.xlen(keys.inbox)).toBe(2))
  await cutAndReconnect(core, wire)
  expect((await refused).error).toMatchObject({ ...away, ...atOnce })
  expect(await core.accept()).toBe(3)
  expect(await direct.redis.xlen(keys.inbox)).toBe(3)
})

test('while Redis is gone events are refused at once, and taken again when it is back with its data', async () => {
  const server = keep(await startTestRedis(), (redis) => redis.stop())
  const core = keep(await openCore(server.url), (one) => one.close())
  const n = await core.accept()
  await server.kill9()
  await eventually(() => expect(core.connections.intake.status).not.toBe('ready'))
  expect((await refusal(core)).error).toMatchObject({ ...away, ...atOnce })
  await server.restart({ keepData: true })
  await eventually(() => expect(core.connections.intake.status).toBe('ready'))
  expect(await core.accept()).toBe(n + 1)
  expect(await core.job(n)).toMatchObject({ status: 'RECEIVED' })
})

test('a Redis that hangs is told within 2 s', async () => {
  const server = keep(await startTestRedis(), (redis) => redis.stop())
  const core = keep(await openCore(server.url, { commandTimeoutMs: null }), (one) => one.close())
  await core.accept()
  process.kill(server.pid, 'SIGSTOP')
  const { error, ms } = await refusal(core)
  process.kill(server.pid, 'SIGCONT')
  expect(error).toMatchObject(away)
  expect(ms).toBeLessThan(boundMs)
})

/** Two instances with one history, as the app opens them. `waiting`: in place of as long for Redis as the app's. */
async function openTwo(server: TestRedis, waiting: { commandTimeoutMs?: number } = patient) {
  const stores = keep(await startTestStores(), (one) => one.close())
  const open = async () => {
    const connections = keep(await openConnections({ url: server.url, log, ...waiting }), (one) =>
      one.close(),
    )
    const dataSet = await createDataSet(connections.patient, stores.history)
    const intake = createIntake({
      ...{ redis: connections.intake, route: defaultRouter(), dataSet, memoryIsShort: () => false },
      ...{ maxBacklog: 1_000, idempotencyTtlSeconds: 60 },
    })
    return { connections, dataSet, intake }
  }
  return { stores, one: await open(), two: await open() }
}
type Instance = Awaited<ReturnType<typeof openTwo>>['one']

async function replaceByEmptyOne(server: TestRedis, instances: readonly Instance[]) {
  const areBack = instances.map(isReadyAgain)
  await server.restart({ keepData: false })
  await Promise.all(areBack)
}

test('a Redis replaced by an empty one is a new data set, the same for all, with numbers above all of history', async () => {
  const server = keep(await startTestRedis(), (redis) => redis.stop())
  const { stores, one, two } = await openTwo(server)
  const epoch = one.dataSet.epoch()
  expect(two.dataSet.epoch()).toBe(epoch)
  await stores.history.record([snapshot(sampleJob(41))], { epoch, journalId: '1-1' })

  await replaceByEmptyOne(server, [one, two])
  const accepted = await Promise.all([one, two].map(({ intake }) => intake.accept(sampleEvent)))
  expect(accepted.flatMap(({ ns }) => ns).sort()).toEqual([1_000_042, 1_000_043])
  expect(one.dataSet.epoch()).not.toBe(epoch)
  expect(two.dataSet.epoch()).toBe(one.dataSet.epoch())
})

test('a Redis that comes back with less than it had gives none of its last numbers again', async () => {
  const server = keep(await startTestRedis(), (redis) => redis.stop())
  const { one, two } = await openTwo(server)
  for (let i = 0; i < 3; i += 1) await one.intake.accept(sampleEvent)
  await one.connections.patient.set(keys.seq, 1)
  const areBack = [one, two].map(isReadyAgain)
  await server.restart({ keepData: true })
  await Promise.all(areBack)
  const epoch = one.dataSet.epoch()
  expect((await one.intake.accept(sampleEvent)).ns).toEqual([1_000_004])
  expect((await two.intake.accept(sampleEvent)).ns).toEqual([1_000_005])
  expect(two.dataSet.epoch(), 'the data set is the same').toBe(epoch)
})

test('what a Redis that hangs has not been sent when its sender is refused is not accepted later', async () => {
  const server = keep(await startTestRedis(), (redis) => redis.stop())
  const { one } = await openTwo(server, {})
  const body = Buffer.alloc(1_000_000)
  process.kill(server.pid, 'SIGSTOP')
  const posted = Array.from({ length: 60 }, () => one.intake.accept({ ...sampleEvent, body }))
  for (const outcome of await Promise.allSettled(posted)) expect(outcome.status).toBe('rejected')
  const isBack = isReadyAgain(one)
  process.kill(server.pid, 'SIGCONT')
  await isBack
  // What has come is written first, which may take longer than intake waits.
  const { ns } = await eventually(() => one.intake.accept(sampleEvent))
  // What was on its way in the sockets' buffers arrives; the rest does not.
  expect(ns[0]).toBeLessThan(30)
})

test('numbers that were given and never reached history are not given again either', async () => {
  const server = keep(await startTestRedis(), (redis) => redis.stop())
  const { one, two } = await openTwo(server)
  const { ns: given } = await one.intake.accept(sampleEvent)
  await replaceByEmptyOne(server, [one, two])
  const { ns } = await two.intake.accept(sampleEvent)
  expect(ns[0]).toBeGreaterThan(given[0] ?? 0)
})
