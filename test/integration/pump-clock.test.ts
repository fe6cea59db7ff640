import { expect, test } from 'vitest'
import { createPump } from '../../src/delivery/pump.ts'
import { coreForFile } from '../support/core-for-file.ts'

const { core } = await coreForFile()

test('a worker whose clock is wrong goes by that of Redis, which all workers share', async () => {
  const { redis, transitions } = core
  const find = async () => ({ kind: 'gone' }) as const
  const hourMs = 3_600_000
  for (const wrongBy of [-hourMs, hourMs]) {
    const pump = createPump({
      ...{ redis, transitions, find, termsOf: () => undefined, owner: 'test', concurrency: 1 },
      clock: () => Date.now() + wrongBy,
    })
    await pump.turn()
    expect(Math.abs(pump.now() - Date.now())).toBeLessThan(60_000)
    await pump.leave()
  }
})
