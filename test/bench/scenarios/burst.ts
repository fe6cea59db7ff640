import { startHelper } from '../harness/child.ts'
import { startOneProcess, usedMemory } from '../harness/events.ts'
import { openDelivered, untilRecorded } from '../harness/recorded.ts'
import type { Checkout, Contestant, Sample, Scenario, ScenarioOptions } from '../harness/scenario.ts'
import { median, percentile } from '../harness/statistics.ts'
import type { Posted } from '../load/posts.ts'

const count = 50_000
const connections = 64
const stallMs = 20_000
const name = 'Gancho'

export const burst: Scenario = {
  name: 'burst',
  title: `Burst: ${count} events as fast as ${connections} connections can send them, one process that also delivers`,
  figures: [
    { name: 'refused', title: 'refused', digits: 0 },
    { name: 'p50', title: 'median of accept, ms', digits: 1 },
    { name: 'p99', title: 'p99 of accept, ms', digits: 1 },
    { name: 'sentS', title: 'all sent after, s', digits: 1 },
    { name: 'drainedS', title: 'all recorded after, s', digits: 1 },
    { name: 'waitingBytes', title: 'Redis memory a waiting event, bytes', digits: 0 },
  ],
  goals: [
    { title: 'refused', ratio: (medianOf) => medianOf(name, 'refused'), atMost: 0 },
    { title: 'p99 of accept, ms', ratio: (medianOf) => medianOf(name, 'p99'), atMost: 100 },
  ],
  open: ({ checkouts, profiled }) => Promise.all(checkouts.map((checkout) => contestant(checkout, profiled))),
}

async function contestant(checkout: Checkout, profiled: ScenarioOptions['profiled']): Promise<Contestant> {
  const [sender, receiver] = await Promise.all([startHelper('posts.ts'), startHelper('receiver.ts')])
  const destination = await receiver.ask<string>('url')
  const measure = async (): Promise<Sample> => {
    const gancho = await startOneProcess(checkout, destination, profiled)
    const { target, data, file } = gancho
    const delivered = openDelivered(file)
    const emptyBytes = await usedMemory(data)
    const startedAt = performance.now()
    const posted = await sender.ask<Posted>('post', { target, connections, count })
    const waiting = posted.accepted - delivered.count()
    const waitingBytes = ((await usedMemory(data)) - emptyBytes) / waiting
    const { recorded, lastAt } = await untilRecorded(delivered, {
      before: 0,
      count: posted.accepted,
      stallMs,
    })
    delivered.close()
    await gancho.close()
    if (recorded < posted.accepted) throw new Error(`${posted.accepted - recorded} events were not recorded`)
    return {
      ...{ refused: posted.refused, p50: median(posted.latencies), p99: percentile(posted.latencies, 0.99) },
      ...{ sentS: posted.tookMs / 1_000, drainedS: (lastAt - startedAt) / 1_000, waitingBytes },
    }
  }
  const close = async () => void (await Promise.all([sender.close(), receiver.close()]))
  return { name: checkout.name === '' ? name : `${name}, ${checkout.name}`, baseline: false, measure, close }
}
