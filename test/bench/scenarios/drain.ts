import { startHelper } from '../harness/child.ts'
import { cpuUs } from '../harness/cpu.ts'
import { startBenchRedis } from '../harness/redis.ts'
import type { Contestant, Sample, Scenario } from '../harness/scenario.ts'

const count = 5_000
const names = { gancho: 'Gancho', bullmq: 'BullMQ alone' }

export const drain: Scenario = {
  name: 'drain',
  title: `Drain: ${count} waiting events, dispatched and delivered to nobody, one worker process, without history`,
  figures: [
    { name: 'perSecond', title: 'jobs/s', digits: 0 },
    { name: 'nodeUs', title: 'Node CPU a job, µs', digits: 0 },
    { name: 'redisUs', title: 'Redis CPU a job, µs', digits: 0 },
  ],
  goals: [
    {
      title: 'jobs/s ÷ BullMQ alone',
      ratio: (median) => median(names.gancho, 'perSecond') / median(names.bullmq, 'perSecond'),
      atLeast: 0.4,
    },
    {
      title: 'CPU of BullMQ alone a job, Redis’ included ÷ Gancho’s',
      ratio: (median) => {
        const all = (name: string) => median(name, 'nodeUs') + median(name, 'redisUs')
        return all(names.bullmq) / all(names.gancho)
      },
      atLeast: 0.4,
    },
  ],
  open: async ({ checkouts }) => [
    { ...contestant(names.bullmq, 'bullmq-drain.ts'), baseline: true },
    ...checkouts.map(({ name, url }) =>
      contestant(name === '' ? names.gancho : `${names.gancho}, ${name}`, 'drain.ts', url),
    ),
  ],
}

/** Every measurement begins with an empty Redis and a new process. */
function contestant(name: string, file: string, checkout?: URL): Contestant {
  const measure = async (): Promise<Sample> => {
    const redis = await startBenchRedis()
    const worker = await startHelper(file, [redis.url], checkout)
    try {
      await worker.ask('fill', count)
      const before = { node: cpuUs(worker.pid), redis: cpuUs(redis.pid) }
      const tookMs = await worker.ask<number>('drain', count)
      return {
        perSecond: (count * 1_000) / tookMs,
        nodeUs: (cpuUs(worker.pid) - before.node) / count,
        redisUs: (cpuUs(redis.pid) - before.redis) / count,
      }
    } finally {
      await worker.close()
      await redis.stop()
    }
  }
  return { name, baseline: false, measure, close: async () => {} }
}
