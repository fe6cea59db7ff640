import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'
import { freePort } from '../support/free-port.ts'
import { adminToken } from '../support/gancho.ts'
import { refusalsWithRedis, startLoad } from '../support/load.ts'
import { openPm2, type Pm2 } from '../support/pm2.ts'

let fleet: Fleet
let pm2: Pm2
let port: number

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end() })
  port = await freePort(3)
  pm2 = await openPm2({ ...fleet.env, ADMIN_TOKEN: adminToken, PORT: String(port) })
  await pm2.run('start ecosystem.config.cjs')
})
afterAll(async () => {
  await pm2?.close()
  await fleet.close()
})

test('under PM2 two gateways share a port, two workers show their health, and a reload under load refuses and loses nothing', async () => {
  const origin = `http://127.0.0.1:${port}`
  const before = await pm2.pids()
  expect(before['gancho-gateway'], pm2.logs()).toHaveLength(2)
  expect(before['gancho-worker']).toHaveLength(2)
  for (const of of [port, port + 1, port + 2]) {
    const health = await fetch(`http://127.0.0.1:${of}/health/ready`)
    expect(await health.json(), `health on port ${of}`).toMatchObject({ status: 'ready' })
  }

  const token = await clientOf({ origin }).newTenant()
  const { post } = clientOf({ origin }, token)
  // Each over a connection of its own: one that stays open is closed after half a second, and a busy machine has a sender slower.
  const load = startLoad({ post: (event) => post(event, { connection: 'close' }) }, 8)
  await until(() => load.accepted.size > 100, { what: 'load' })
  await pm2.run('reload all')
  const acceptedBy = load.accepted.size
  await until(() => load.accepted.size > acceptedBy + 100, { what: 'load after the reload' })
  await load.stop()

  expect(refusalsWithRedis(load)).toEqual([])
  expect(load.unanswered).toEqual([])
  const after = await pm2.pids()
  const all = (pids: Record<string, number[]>) => Object.values(pids).flat()
  expect(all(after)).toHaveLength(4)
  expect(
    all(after).filter((pid) => all(before).includes(pid)),
    'processes that were not replaced',
  ).toEqual([])

  const delivered = () => fleet.receiver.received.map(({ headers }) => headers['x-gancho-job'])
  await until(() => load.accepted.difference(new Set(delivered())).size === 0, {
    what: 'everything is delivered',
  })
  const came = delivered()
  expect(new Set(came).size, 'each job once').toBe(came.length)
  // Whoever was refused for a slow Redis may have been accepted.
  expect(came.length - load.accepted.size, 'no others').toBeLessThanOrEqual(load.refused.length)
})

test('pm2 kill leaves nothing behind', async () => {
  expect(await pm2.close()).toEqual([])
})
