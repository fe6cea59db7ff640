import { afterEach } from 'vitest'
import { createPump } from '../../src/delivery/pump.ts'
import { repeat } from '../../src/redis/repeat.ts'
import { until } from './client.ts'
import type { Core } from './core.ts'
import { startDelivery } from './delivery.ts'
import { type Answer, startReceiver } from './receiver.ts'

type Options = Omit<Parameters<typeof startDelivery>[1], 'url'> & { answer: Answer; workers?: number }

/** As many workers as are asked for, with a pump and a dispatcher each, that deliver to one receiver. */
async function startGatedDelivery(core: Core, { answer, workers = 1, ...options }: Options) {
  const receiver = await startReceiver(answer)
  const parts = Array.from({ length: workers }, (_, i) => {
    const delivery = startDelivery(core, { ...options, url: receiver.url })
    const { find, termsOf } = delivery.deps
    const { redis, transitions, log } = core
    const pump = createPump({
      ...{ redis, transitions, termsOf, find, owner: `pump-${i}`, concurrency: 10 },
      clock: Date.now,
    })
    const pumping = repeat({ name: 'pump', log, everyMs: 50, turn: pump.turn })
    pumping.start()
    const dispatcher = core.newDispatcher()
    dispatcher.start()
    return { delivery, pumping, dispatcher }
  })
  const statuses = async (ns: readonly number[]) => (await core.records.jobs(ns)).map(({ status }) => status)
  return {
    receiver,
    accept: (count: number) => Promise.all(Array.from({ length: count }, () => core.accept())),
    statuses,
    untilAll: (ns: readonly number[], status: string) =>
      until(async () => (await statuses(ns)).every((one) => one === status), { what: `all are ${status}` }),
    async stop() {
      for (const { pumping, dispatcher } of parts) await Promise.all([pumping.stop(), dispatcher.stop()])
      for (const { delivery } of parts) await delivery.stop()
      await receiver.close()
    },
  }
}

/** Opens them for the tests of a file, each until its test is over. */
export function gatedDeliveries(core: Core) {
  const opened: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of opened.splice(0)) await close()
  })
  return async (options: Options) => {
    const started = await startGatedDelivery(core, options)
    opened.push(started.stop)
    return started
  }
}
