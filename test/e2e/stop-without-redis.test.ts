import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'

let fleet: Fleet

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end(), env: { SHUTDOWN_TIMEOUT_MS: '200' } })
})
afterAll(() => fleet.close())

test('stopped while Redis is away, Gancho ends by itself and in time', async () => {
  const gancho = await fleet.start('all')
  await fleet.redis.kill9()
  await until(() => gancho.output().includes('Redis connection lost'), { what: 'it notices' })
  const startedAt = Date.now()
  expect(await gancho.stop()).toBe(0)
  expect(Date.now() - startedAt).toBeLessThan(30_000)
})
