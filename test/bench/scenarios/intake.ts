import { Redis } from 'ioredis'
import { startBaseline, startHelper } from '../harness/child.ts'
import { cpuUs } from '../harness/cpu.ts'
import { clearInbox, eventBody, jsonHeaders, targetOf } from '../harness/events.ts'
import { measuredFleet, startBenchRedis } from '../harness/redis.ts'
import type { Checkout, Contestant, Sample, Scenario, ScenarioOptions } from '../harness/scenario.ts'
import { median, percentile } from '../harness/statistics.ts'
import type { Posted, Posting, Target } from '../load/posts.ts'

const connections = 64
const steadyRate = 1_000
const names = { gancho: 'Gancho', usual: 'Express and BullMQ', bare: 'bare node:http' }

export const intake: Scenario = {
  name: 'intake',
  title: `Intake: accepted events a second, ${connections} connections, ${eventBody.length}-byte JSON, one gateway process`,
  figures: [
    { name: 'perSecond', title: 'accepted/s', digits: 0 },
    { name: 'p50', title: 'median, ms', digits: 2 },
    { name: 'p99', title: 'p99, ms', digits: 1 },
    { name: 'steadyP50', title: `median at ${steadyRate}/s, ms`, digits: 2 },
    { name: 'steadyP99', title: `p99 at ${steadyRate}/s, ms`, digits: 1 },
    { name: 'nodeUs', title: 'Node CPU an event, µs', digits: 0 },
    { name: 'redisUs', title: 'Redis CPU an event, µs', digits: 0 },
    { name: 'senderUs', title: 'sender’s CPU an event, µs', digits: 0 },
    { name: 'refused', title: 'refused', digits: 0 },
  ],
  goals: [
    {
      title: 'accepted/s ÷ Express and BullMQ',
      ratio: (median) => median(names.gancho, 'perSecond') / median(names.usual, 'perSecond'),
      atLeast: 3.5,
    },
    {
      title: 'accepted/s ÷ bare node:http',
      ratio: (median) => median(names.gancho, 'perSecond') / median(names.bare, 'perSecond'),
      atLeast: 0.6,
    },
    {
      title: 'CPU of Express and BullMQ an event, Redis’ included ÷ Gancho’s',
      ratio: (median) => {
        const all = (name: string) => median(name, 'nodeUs') + median(name, 'redisUs')
        return all(names.usual) / all(names.gancho)
      },
      atLeast: 3.5,
    },
    {
      title: 'p99 ÷ Express and BullMQ',
      ratio: (median) => median(names.gancho, 'p99') / median(names.usual, 'p99'),
      atMost: 1,
    },
  ],
  open,
}

type Measured = { target: Target; node: number; redis: readonly number[]; clear(): Promise<unknown> }

async function open({ checkouts, profiled, seconds }: ScenarioOptions): Promise<Contestant[]> {
  const sender = await startHelper('posts.ts')
  const ganchos = await Promise.all(checkouts.map((checkout) => startGateway(checkout, profiled)))
  const redis = await startBenchRedis()
  const usual = await startBaseline('usual-stack.ts', [redis.url])
  const bare = await startBaseline('bare-http.ts')
  const data = new Redis(redis.url)
  const post = (posting: Posting) => sender.ask<Posted>('post', posting)
  const measureAt = async ({ target, node, redis, clear }: Measured): Promise<Sample> => {
    const before = [cpuUs(node), cpuUs(...redis), cpuUs(sender.pid)] as const
    const most = await post({ target, connections, seconds })
    const each = (used: number) => used / (most.accepted + most.refused)
    const [nodeUs, redisUs] = [each(cpuUs(node) - before[0]), each(cpuUs(...redis) - before[1])]
    const senderUs = each(cpuUs(sender.pid) - before[2])
    await clear()
    const steady = await post({ target, connections, seconds, perSecond: steadyRate })
    await clear()
    return {
      perSecond: (most.accepted * 1_000) / most.tookMs,
      ...{ p50: median(most.latencies), p99: percentile(most.latencies, 0.99) },
      ...{ steadyP50: median(steady.latencies), steadyP99: percentile(steady.latencies, 0.99) },
      ...{ nodeUs, redisUs, senderUs, refused: most.refused + steady.refused },
    }
  }
  const baseline = (origin: string, token = ''): Target => ({
    ...{ origin, path: '/webhook', body: eventBody },
    headers: { ...jsonHeaders, authorization: `Bearer ${token}` },
  })
  return [
    ...ganchos.map(({ suffix, close, ...measured }) => ({
      ...{ name: names.gancho + suffix, baseline: false, close },
      measure: () => measureAt(measured),
    })),
    {
      ...{ name: names.usual, baseline: true },
      measure: () =>
        measureAt({
          ...{ target: baseline(usual.origin, 'usual-token'), node: usual.pid, redis: [redis.pid] },
          clear: () => data.flushall(),
        }),
      async close() {
        await usual.close()
        data.disconnect()
        await redis.stop()
      },
    },
    {
      ...{ name: names.bare, baseline: true },
      measure: () =>
        measureAt({ target: baseline(bare.origin), node: bare.pid, redis: [], clear: async () => {} }),
      close: async () => void (await Promise.all([bare.close(), sender.close()])),
    },
  ]
}

/** A gateway whose events nobody takes. */
async function startGateway({ name, url }: Checkout, profiled: Record<string, string>) {
  const fleet = await measuredFleet({ answer: (response) => response.end(), checkout: url })
  const gateway = await fleet.start('gateway', { LOG_LEVEL: 'error', ...profiled })
  return {
    suffix: name === '' ? '' : `, ${name}`,
    target: await targetOf(gateway),
    node: gateway.pid,
    redis: [fleet.redis.pid],
    clear: () => clearInbox(fleet.data),
    async close() {
      await gateway.stop()
      await fleet.close()
    },
  }
}
