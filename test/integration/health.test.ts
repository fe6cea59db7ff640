import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { type GanchoProcess, sharedEnvironment, startGancho } from '../support/gancho.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

let redis: TestRedis
let wire: TcpProxy
let shared: ReturnType<typeof sharedEnvironment>
let gancho: GanchoProcess

beforeAll(async () => {
  redis = await startTestRedis()
  wire = await startTcpProxy(redis.port)
  shared = sharedEnvironment(`redis://127.0.0.1:${wire.port}`, 'http://127.0.0.1:9/')
  gancho = await startGancho({ env: shared.env })
})
afterAll(async () => {
  await gancho.kill9()
  await wire.close()
  await redis.stop()
  await shared.remove()
})

const ask = async (path: string) => {
  const startedAt = performance.now()
  const response = await fetch(`${gancho.origin}/health/${path}`)
  const body = (await response.json()) as { status: string; checks: Record<string, string> }
  return { status: response.status, body, tookMs: performance.now() - startedAt }
}
const untilReadyIs = (status: number) =>
  until(async () => (await ask('ready')).status === status, { what: `ready is ${status}` })
/** The 2 s that a check may take, and what a busy machine adds. For more than that, a check may find wanting what is there. */
const boundMs = 10_000
const ready = { redis: 'ok', queue: 'ok', database: 'ok' }

describe('readiness', () => {
  test('names everything that it stands on', async () => {
    const tenants = { known: 0, staleSince: null }
    await expect
      .poll(() => ask('ready'))
      .toMatchObject({
        status: 200,
        body: { status: 'ready', checks: ready, tenants },
      })
  })

  test('stays while the database is down, which is told, because the cache serves', async () => {
    const database = new DatabaseSync(join(shared.dataDir, 'gancho.db'), { timeout: 5_000 })
    database.exec('ALTER TABLE history_meta RENAME TO history_meta_away')
    await expect
      .poll(() => ask('ready'))
      .toMatchObject({
        status: 200,
        body: { status: 'ready', checks: { ...ready, database: 'unavailable' } },
      })
    database.exec('ALTER TABLE history_meta_away RENAME TO history_meta')
    database.close()
    await expect.poll(async () => (await ask('ready')).body.checks).toEqual(ready)
  })

  test('ends in time while Redis does not answer, and comes back', async () => {
    wire.swallowAnswers()
    const silent = await ask('ready')
    expect(silent).toMatchObject({
      status: 503,
      body: { status: 'not ready', checks: { redis: 'unavailable' } },
    })
    expect(silent.tookMs).toBeLessThan(boundMs)
    wire.cut()
    await untilReadyIs(200)
  })

  test('ends at once while Redis is down, and life goes on', async () => {
    await redis.kill9()
    await untilReadyIs(503)
    const down = await ask('ready')
    expect(down).toMatchObject({
      status: 503,
      body: { checks: { redis: 'unavailable', queue: 'unavailable' } },
    })
    expect(down.tookMs).toBeLessThan(boundMs)
    expect(await ask('live')).toMatchObject({ status: 200, body: { status: 'live' } })
    await redis.restart({ keepData: true })
    await untilReadyIs(200)
  })
})
