import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, isWithoutRedis } from '../support/client.ts'
import { type GanchoProcess, sharedEnvironment, startGancho } from '../support/gancho.ts'
import { webhookRequest } from '../support/raw-http.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let redis: TestRedis
let shared: ReturnType<typeof sharedEnvironment>
let gancho: GanchoProcess
let token: string

beforeAll(async () => {
  redis = await startTestRedis()
  shared = sharedEnvironment(redis.url, 'http://127.0.0.1:9/')
  const env = { ROLE: 'gateway', TOKEN_CACHE_TTL_SECONDS: '1', LOG_LEVEL: 'fatal' }
  gancho = await startGancho({ env: { ...shared.env, ...env } })
  token = await clientOf(gancho).newTenant()
})
afterAll(async () => {
  await gancho.kill9()
  await redis.stop()
  await shared.remove()
})

const statusOf = async (of: string) => (await clientOf(gancho, of).postPatiently({ a: 1 })).status

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${gancho.origin}/metrics`)).text()
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])
}

/** Sends that many requests, each with another bad token, on one connection; their statuses, counted. */
async function badTokens(sender: number, count: number): Promise<Record<string, number>> {
  const { hostname, port } = new URL(gancho.origin)
  const socket = connect(Number(port), hostname)
  const counts: Record<string, number> = {}
  let answered = 0
  let rest = ''
  socket.on('data', (chunk) => {
    const text = rest + chunk
    const end = text.lastIndexOf('\r\n')
    rest = text.slice(end)
    for (const [, status = ''] of text.slice(0, end).matchAll(/HTTP\/1\.1 (\d{3})/g)) {
      counts[status] = (counts[status] ?? 0) + 1
      answered += 1
    }
    if (answered === count) socket.end()
  })
  for (let at = 0; at < count; at++) {
    const isRoom = socket.write(webhookRequest(`gnt_bad-${sender}-${at}`, ''))
    if (!isRoom) await once(socket, 'drain')
  }
  await once(socket, 'close')
  return counts
}

test('50,000 requests with bad tokens make few queries, and hold up no tenant', async () => {
  const start = performance.now()
  const flood = Promise.all(Array.from({ length: 10 }, (_, sender) => badTokens(sender, 5_000)))
  let over = false
  void flood.finally(() => {
    over = true
  })
  const refused = { byGancho: 0, forRedis: 0 }
  let served = 0
  while (!over) {
    const answered = await clientOf(gancho, token).post({ a: 1 })
    // A process as busy as this one on a busy machine may read Redis' answer later than it waits for it.
    if (answered.status === 202) served += 1
    else if (isWithoutRedis(answered)) refused.forRedis += 1
    else refused.byGancho += 1
    // It has no connection for a moment then.
    if (isWithoutRedis(answered)) await sleep(200)
  }
  const counts = (await flood).flatMap((one) => Object.entries(one))
  const seconds = (performance.now() - start) / 1_000
  expect(refused.byGancho).toBe(0)
  expect(refused.forRedis, 'now and then at most').toBeLessThan(5 + served / 10)
  expect(counts.reduce((sum, [, count]) => sum + count, 0)).toBe(50_000)
  expect(new Set(counts.map(([status]) => status))).toEqual(new Set(['401', '503']))
  // 500 at once and 100 a second; the known tenant is read again once a second.
  expect(await metric('gancho_tenant_cache_lookups_total')).toBeLessThan(510 + 102 * seconds)
  // By the pace of this machine, which may stop over one of them: whoever waited behind the flood would wait for as long as it lasts.
  expect(served, 'one after the other meanwhile').toBeGreaterThan(4)
})

test('with the database away known tenants are served, others get 503, and metrics and health say so', async () => {
  const database = new DatabaseSync(join(shared.dataDir, 'gancho.db'), { timeout: 5_000 })
  expect(await statusOf(token)).toBe(202)
  database.exec('ALTER TABLE tenant_tokens RENAME TO away')
  const staleSeconds = async () => {
    expect(await statusOf(token)).toBe(202)
    return metric('gancho_tenant_cache_stale_seconds')
  }
  await expect.poll(staleSeconds).toBeGreaterThan(0)
  expect(await statusOf('gnt_nobody-knows-this-one')).toBe(503)
  const ready = await clientOf(gancho).call('GET', '/health/ready')
  expect(ready.status).toBe(200)
  expect(ready.body.tenants).toEqual({ known: 1, staleSince: expect.stringMatching(/^20\d\d-/) })

  database.exec('ALTER TABLE away RENAME TO tenant_tokens')
  database.close()
  await expect.poll(staleSeconds).toBe(0)
  expect(await statusOf('gnt_nobody-knows-this-either')).toBe(401)
})
