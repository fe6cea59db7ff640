import { afterAll, beforeAll, expect, test } from 'vitest'
import { forgetOver } from '../../src/history/forget-jobs.ts'
import { keys } from '../../src/redis/keys.ts'
import { createLease } from '../../src/redis/lease.ts'
import { loadScript } from '../../src/redis/scripts.ts'
import { sampleAttempt } from '../contract/sample-jobs.ts'
import { type Core, openCore } from '../support/core.ts'
import { failed } from '../support/failures.ts'
import { jobStages } from '../support/job-stages.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let core: Core
beforeAll(async () => {
  server = await startTestRedis({ config: ['maxmemory 16mb'] })
  core = await openCore(server.url)
})
afterAll(async () => {
  await core.close()
  await server.stop()
})

const { started, finish } = jobStages(() => core)

/** With ever smaller pieces, so that not even a short value finds room. */
async function fillUp() {
  for (const size of [100_000, 1_000, 10]) {
    const piece = Buffer.alloc(size)
    let said: string | null = 'OK'
    for (let i = 0; said === 'OK'; i += 1) {
      said = await core.redis.set(`fill:${size}:${i}`, piece).catch((error: Error) => error.message)
    }
    expect(said).toMatch(/^OOM/)
  }
}

test('a Redis that is full still takes outcomes, moves leases and history on, and lets records go', async () => {
  const [delivered, retrying, failing] = [await started(), await started(), await started()]
  const lease = createLease(core.redis, 'full', 'me', 10_000)
  await fillUp()

  expect(await finish(delivered, 1, { status: 'DELIVERED', attempt: sampleAttempt(1) })).toMatchObject({
    status: 'DELIVERED',
  })
  expect(await finish(retrying, 1, { status: 'RETRYING', delayMs: 1 })).toMatchObject({ status: 'RETRYING' })
  expect(await finish(failing, 1, { status: 'FAILED', failure: failed })).toMatchObject({ status: 'FAILED' })
  expect(await lease.hold()).toBe(true)
  await loadScript(core.redis, 'set-projected')([keys.projected], ['1-1'])
  expect(await core.redis.get(keys.projected)).toBe('1-1')
  const job = await core.job(delivered)
  expect(job && (await forgetOver(core.redis)([job]))).toBe(1)
  expect(await core.redis.exists(keys.job(delivered))).toBe(0)
})
