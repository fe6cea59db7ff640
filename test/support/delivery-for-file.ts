import { afterEach } from 'vitest'
import { coreForFile } from './core-for-file.ts'
import { startDelivery } from './delivery.ts'
import { type Answer, type Receiver, startReceiver } from './receiver.ts'

/** A core for the tests of one file, and receivers and workers over it, each of which ends with the test that started it. */
export async function deliveryForFile() {
  const { core } = await coreForFile()
  const opened: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
  })
  return {
    core,
    async receive(answer: Answer): Promise<Receiver> {
      const receiver = await startReceiver(answer)
      opened.push(receiver.close)
      return receiver
    },
    /** `log`: in place of none. */
    deliverTo(options: Parameters<typeof startDelivery>[1], log = core.log) {
      const delivery = startDelivery({ ...core, log }, options)
      opened.push(delivery.stop)
      return delivery
    },
  }
}
