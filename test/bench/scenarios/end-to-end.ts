import { join } from 'node:path'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { type Helper, startBaseline, startHelper } from '../harness/child.ts'
import { cpuUs } from '../harness/cpu.ts'
import { eventBody, jsonHeaders, type OneProcess, startOneProcess } from '../harness/events.ts'
import { openDelivered, untilRecorded } from '../harness/recorded.ts'
import { startBenchRedis } from '../harness/redis.ts'
import type { Checkout, Contestant, Sample, Scenario, ScenarioOptions } from '../harness/scenario.ts'
import type { Posted } from '../load/posts.ts'

const connections = 64
/** A sender that is faster than what follows would only measure how much can wait: what counts is the rate that can be held. */
const mostUnderWay = 2_000
const stallMs = 10_000
const names = { gancho: 'Gancho', usual: 'Express and BullMQ' }
const both = (name: string) => (median: (name: string, figure: string) => number) =>
  median(name, 'nodeUs') + median(name, 'redisUs')

export const endToEnd: Scenario = {
  name: 'end-to-end',
  title: `End to end: posted by ${connections} connections, at most ${mostUnderWay} under way, delivered to a receiver, recorded in SQLite, one process`,
  figures: [
    { name: 'perSecond', title: 'recorded/s, first post to last row', digits: 0 },
    { name: 'nodeUs', title: 'Node CPU a job, µs', digits: 0 },
    { name: 'redisUs', title: 'Redis CPU a job, µs', digits: 0 },
    { name: 'lost', title: 'accepted, not recorded', digits: 0 },
  ],
  goals: [
    {
      title: 'recorded/s ÷ Express and BullMQ',
      ratio: (median) => median(names.gancho, 'perSecond') / median(names.usual, 'perSecond'),
      atLeast: 1.3,
    },
    {
      title: 'CPU of Express and BullMQ a job, Redis’ included ÷ Gancho’s',
      ratio: (median) => both(names.usual)(median) / both(names.gancho)(median),
      atLeast: 1.3,
    },
  ],
  open,
}

async function open({ checkouts, profiled, seconds }: ScenarioOptions): Promise<Contestant[]> {
  const [sender, receiver] = await Promise.all([startHelper('posts.ts'), startHelper('receiver.ts')])
  const url = await receiver.ask<string>('url')
  const closeLoad = () => Promise.all([sender.close(), receiver.close()])
  const ganchos = await Promise.all(checkouts.map((checkout) => startGancho(checkout, url, profiled)))
  const usual = await startUsual(url)
  return [
    {
      ...contestant(names.usual, usual, sender, seconds),
      baseline: true,
      close: async () => {
        await closeLoad()
        await usual.close()
      },
    },
    ...ganchos.map((one) => contestant(names.gancho + one.suffix, one, sender, seconds)),
  ]
}

type System = Omit<OneProcess, 'data'>

function contestant(name: string, system: System, sender: Helper, seconds: number): Contestant {
  const { target, node, redis, file, close } = system
  const measure = async (): Promise<Sample> => {
    const delivered = openDelivered(file)
    const before = { recorded: delivered.count(), node: cpuUs(node), redis: cpuUs(redis) }
    const startedAt = performance.now()
    const underWay = { file, most: mostUnderWay }
    const { accepted } = await sender.ask<Posted>('post', { target, connections, seconds, underWay })
    const { recorded, lastAt } = await untilRecorded(delivered, {
      before: before.recorded,
      count: accepted,
      stallMs,
    })
    delivered.close()
    return {
      perSecond: (recorded * 1_000) / (lastAt - startedAt),
      nodeUs: (cpuUs(node) - before.node) / recorded,
      redisUs: (cpuUs(redis) - before.redis) / recorded,
      lost: accepted - recorded,
    }
  }
  return { name, baseline: false, measure, close }
}

async function startGancho(checkout: Checkout, destination: string, profiled: Record<string, string>) {
  const suffix = checkout.name === '' ? '' : `, ${checkout.name}`
  return { suffix, ...(await startOneProcess(checkout, destination, profiled)) }
}

async function startUsual(destination: string): Promise<System> {
  const [redis, folder] = await Promise.all([startBenchRedis(), temporaryFolder()])
  const file = join(folder.path, 'usual.db')
  const usual = await startBaseline('usual-stack.ts', [redis.url, destination, file])
  const headers = { ...jsonHeaders, authorization: 'Bearer usual-token' }
  return {
    target: { origin: usual.origin, path: '/webhook', headers, body: eventBody },
    ...{ node: usual.pid, redis: redis.pid, file },
    async close() {
      await usual.close()
      await redis.stop()
      await folder.remove()
    },
  }
}
