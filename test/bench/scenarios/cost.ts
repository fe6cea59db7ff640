import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { type Helper, startBaseline, startHelper } from '../harness/child.ts'
import { callsBetween, commandStats, runsScript, totalOf } from '../harness/commandstats.ts'
import { cpuUs } from '../harness/cpu.ts'
import {
  eventBody,
  jsonHeaders,
  openBenchFleet,
  settingsFor,
  targetOf,
  usedMemory,
} from '../harness/events.ts'
import { openDelivered, untilRecorded } from '../harness/recorded.ts'
import { startBenchRedis } from '../harness/redis.ts'
import type { Checkout, Contestant, Figure, Sample, Scenario, ScenarioOptions } from '../harness/scenario.ts'
import type { Posted, Target } from '../load/posts.ts'

const count = 5_000
const connections = 64
const stallMs = 20_000
const cores = availableParallelism()
const names = { gancho: 'Gancho', usual: 'Express and BullMQ' }

const figures: Figure[] = [
  { name: 'acceptCommands', title: 'Redis commands to accept', digits: 1 },
  { name: 'deliverCommands', title: 'to deliver and record', digits: 1 },
  { name: 'scripts', title: 'scripts run in all', digits: 1 },
  { name: 'acceptRedisUs', title: 'Redis CPU to accept, µs', digits: 0 },
  { name: 'deliverRedisUs', title: 'to deliver and record, µs', digits: 0 },
  { name: 'acceptNodeUs', title: 'Node CPU to accept, µs', digits: 0 },
  { name: 'deliverNodeUs', title: 'to deliver and record, µs', digits: 0 },
  { name: 'waitingBytes', title: 'bytes in Redis while waiting', digits: 0 },
  { name: 'afterBytes', title: 'after', digits: 0 },
  { name: 'perCore', title: 'jobs/s a core of Node carries', digits: 0 },
  { name: 'perRedis', title: 'jobs/s a Redis carries', digits: 0 },
  { name: 'perMachine', title: 'jobs/s this machine carries by its cores', digits: 0 },
]

export const cost: Scenario = {
  name: 'cost',
  title: `Cost of a job, ${count} of ${eventBody.length} bytes: accepted while nobody delivers, then delivered and recorded in SQLite`,
  figures,
  goals: [],
  async open(options) {
    const [sender, receiver] = await Promise.all([startHelper('posts.ts'), startHelper('receiver.ts')])
    const destination = await receiver.ask<string>('url')
    const ganchos = options.checkouts.map((checkout) =>
      contestant(
        checkout.name === '' ? names.gancho : `${names.gancho}, ${checkout.name}`,
        () => startGancho(checkout, destination, options),
        sender,
      ),
    )
    const usual = contestant(names.usual, () => startUsual(destination), sender)
    const close = async () => void (await Promise.all([sender.close(), receiver.close()]))
    return [{ ...usual, baseline: true, close }, ...ganchos]
  },
}

/** One that has its jobs wait until `deliver` is called. */
type System = {
  data: Redis
  redis: number
  target: Target
  /** The process that accepts. */
  accepts: number
  file: string
  /** Starts what delivers, after what it does once for all; answers its process. */
  deliver(): Promise<number>
  close(): Promise<void>
}

/** Every measurement begins with an empty Redis and new processes. */
function contestant(name: string, start: () => Promise<System>, sender: Helper): Contestant {
  const measure = async () => {
    const system = await start()
    try {
      return await measureCost(system, sender)
    } finally {
      await system.close()
    }
  }
  return { name, baseline: false, measure, close: async () => {} }
}

async function measureCost(system: System, sender: Helper): Promise<Sample> {
  const { data, redis, target, accepts, file, deliver } = system
  const look = async (...nodes: number[]) => ({
    ...{ stats: await commandStats(data), bytes: await usedMemory(data) },
    ...{ redisUs: cpuUs(redis), nodeUs: cpuUs(...nodes) },
  })
  const empty = await look(accepts)
  const { accepted } = await sender.ask<Posted>('post', { target, connections, count })
  const waiting = await look(accepts)
  const delivers = await deliver()
  const delivered = openDelivered(file)
  const before = { recorded: delivered.count(), nodeUs: cpuUs(delivers) }
  const { recorded } = await untilRecorded(delivered, { before: 0, count: accepted, stallMs })
  delivered.close()
  if (recorded < accepted) throw new Error(`${accepted - recorded} of ${accepted} jobs were not recorded`)
  const after = await look(delivers)
  const acceptCalls = callsBetween(empty.stats, waiting.stats)
  const deliverCalls = callsBetween(waiting.stats, after.stats)
  const each = (value: number) => value / accepted
  const nodeUs = {
    accept: each(waiting.nodeUs - empty.nodeUs),
    // What was delivered while it started is not in the time, nor in the number.
    deliver: (after.nodeUs - before.nodeUs) / (accepted - before.recorded),
  }
  const redisUs = each(after.redisUs - empty.redisUs)
  const usedUs = nodeUs.accept + nodeUs.deliver
  return {
    ...{ acceptCommands: each(totalOf(acceptCalls)), deliverCommands: each(totalOf(deliverCalls)) },
    scripts: each(totalOf(acceptCalls, runsScript) + totalOf(deliverCalls, runsScript)),
    ...{ acceptRedisUs: each(waiting.redisUs - empty.redisUs) },
    ...{ deliverRedisUs: each(after.redisUs - waiting.redisUs) },
    ...{ acceptNodeUs: nodeUs.accept, deliverNodeUs: nodeUs.deliver },
    ...{ waitingBytes: each(waiting.bytes - empty.bytes), afterBytes: each(after.bytes - empty.bytes) },
    ...{ perCore: 1e6 / usedUs, perRedis: 1e6 / redisUs, perMachine: (cores * 1e6) / (usedUs + redisUs) },
    ...Object.fromEntries([...deliverCalls].map(([name, calls]) => [`delivering:${name}`, each(calls)])),
    ...Object.fromEntries([...acceptCalls].map(([name, calls]) => [`accepting:${name}`, each(calls)])),
  }
}

async function startGancho({ url }: Checkout, destination: string, { profiled }: ScenarioOptions) {
  const fleet = await openBenchFleet(url)
  const settings = settingsFor(destination, profiled)
  const gateway = await fleet.start('gateway', settings)
  return {
    ...{ data: fleet.data, redis: fleet.redis.pid, accepts: gateway.pid },
    target: await targetOf(gateway),
    file: join(fleet.env.DATA_DIR ?? '', 'gancho.db'),
    deliver: async () => (await fleet.start('worker', settings)).pid,
    close: () => fleet.close(),
  }
}

async function startUsual(destination: string): Promise<System> {
  const [redis, folder] = await Promise.all([startBenchRedis(), temporaryFolder()])
  const file = join(folder.path, 'usual.db')
  const accepts = await startBaseline('usual-stack.ts', [redis.url])
  const started = [accepts]
  const data = new Redis(redis.url)
  const headers = { ...jsonHeaders, authorization: 'Bearer usual-token' }
  return {
    ...{ data, redis: redis.pid, accepts: accepts.pid, file },
    target: { origin: accepts.origin, path: '/webhook', headers, body: eventBody },
    async deliver() {
      const worker = await startBaseline('usual-stack.ts', [redis.url, destination, file])
      started.push(worker)
      return worker.pid
    },
    async close() {
      await Promise.all(started.map(({ close }) => close()))
      data.disconnect()
      await redis.stop()
      await folder.remove()
    },
  }
}
