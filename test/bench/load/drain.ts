// A worker whose deliveries do nothing, over an inbox that was filled before, without history. The address of Redis is the first
// argument.
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from '../../../src/delivery/http-client.ts'
import { openCore, sampleEvent } from '../../support/core.ts'
import { startDelivery } from '../../support/delivery.ts'
import { eventBody } from '../harness/events.ts'
import { monotonicMs, serveBench } from '../harness/parent.ts'

const together = 200
const core = await openCore(process.argv[2] ?? '', { maxBacklog: 1_000_000 })
let delivered = 0

/** Answers 200 at once, and sends nothing. */
const nowhere: HttpClient = {
  dispatch(_request, handler) {
    delivered += 1
    const controller = { abort() {}, pause() {}, resume() {} } as never
    handler.onRequestStart?.(controller, {})
    handler.onResponseStart?.(controller, 200, {}, 'OK')
    handler.onResponseEnd?.(controller, {})
  },
  originCount: () => 0,
  close: async () => {},
}

serveBench({
  async fill(count: number) {
    const event = { ...sampleEvent, body: Buffer.from(eventBody) }
    for (let done = 0; done < count; done += together)
      await Promise.all(Array.from({ length: together }, () => core.intake.accept(event)))
  },
  /** Milliseconds until `count` jobs are delivered and their outcomes recorded. */
  async drain(count: number) {
    delivered = 0
    const startedAt = monotonicMs()
    const delivery = startDelivery(core, {
      url: 'http://127.0.0.1:9/events',
      concurrency: 50,
      client: nowhere,
    })
    const dispatcher = core.newDispatcher({ claimAfterMs: 30_000 })
    dispatcher.start()
    while (delivered < count) await sleep(5)
    await delivery.stop()
    const tookMs = monotonicMs() - startedAt
    await dispatcher.stop()
    return tookMs
  },
})
