import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recallAccess, serverFiles } from '../../src/redis/server-files.ts'
import { clientOf, until } from '../support/client.ts'
import { attemptsAt, clientsOf, untilStatus } from '../support/fleet.ts'
import { type GanchoProcess, soonTakenOver, startGancho } from '../support/gancho.ts'
import { startLoad } from '../support/load.ts'
import { isRunning } from '../support/processes.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let receiver: Receiver
let gancho: GanchoProcess
let token: string
let answers = 503

const start = () =>
  startGancho({
    env: {
      DATA_DIR: folder.path,
      DESTINATION_URL: receiver.url,
      // Nothing is given up while Gancho starts again.
      RETRY_SCHEDULE_SECONDS: Array(200).fill(1).join(),
      ...soonTakenOver,
      SWEEP_INTERVAL_MS: '500',
      // Else it would hold them for as long as they are waited for, if the next start takes longer than its first cool-down.
      BREAKER_COOLDOWN_SECONDS: '1',
    },
  })
/** What is killed while a flush is under way may lose what was answered meanwhile; without flushes it loses nothing. */
async function withoutFlushes(): Promise<void> {
  const { port = 0, password } = recallAccess(serverFiles(folder.path))
  const redis = new Redis(port, '127.0.0.1', { password })
  await redis.config('SET', 'appendfsync', 'no')
  redis.disconnect()
}
const redisPid = () => Number(readFileSync(join(folder.path, 'redis', 'redis.pid'), 'utf8'))

beforeAll(async () => {
  folder = await temporaryFolder()
  receiver = await startReceiver((response) => {
    response.statusCode = answers
    response.end()
  })
  gancho = await start()
})
afterAll(async () => {
  await gancho.kill9()
  await receiver.close()
  await folder.remove()
})

test('jobs that wait when Gancho is killed are delivered after a restart half a second later', async () => {
  const { tenant, token: newToken } = await clientsOf(gancho, '11444777000161')
  token = newToken
  const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => tenant.postJob({ order: i })))
  await until(() => ids.every((id) => attemptsAt(receiver).includes(`${id}.0.1`)), {
    what: 'every job failed once',
  })
  const serverBefore = redisPid()
  await withoutFlushes()
  await gancho.kill9()
  await sleep(500)
  gancho = await start()
  expect(isRunning(serverBefore), 'the server of the killed process').toBe(false)

  answers = 200
  for (const id of ids) {
    const { attempts } = await untilStatus(clientOf(gancho), id, 'DELIVERED')
    expect(attempts.at(-1)).toMatchObject({ outcome: 'DELIVERED', statusCode: 200 })
    expect(attempts.length).toBeGreaterThan(1)
  }
})

test('an embedded Redis that is killed under load comes back by itself, and nothing accepted is lost', async () => {
  await withoutFlushes()
  const load = startLoad(clientOf(gancho, token), 16)
  const grow = async () => {
    const goal = load.accepted.size + 200
    await until(() => load.accepted.size >= goal, { what: 'events are accepted' })
  }
  await grow()
  const killed = redisPid()
  process.kill(killed, 'SIGKILL')
  await until(() => load.refused.length > 0, { what: 'senders notice' })
  await grow()
  await load.stop()
  expect(load.unanswered).toEqual([])
  expect(redisPid()).not.toBe(killed)
  const missing = () => {
    const delivered = new Set(receiver.received.map(({ headers }) => headers['x-gancho-job']))
    return [...load.accepted].filter((id) => !delivered.has(id))
  }
  await until(() => missing().length === 0, { what: 'every accepted event is delivered' })
  expect(new Set(load.refused.map(({ answered }) => answered.status))).toEqual(new Set([503]))
})

test('stopped, it leaves no server behind', async () => {
  const server = redisPid()
  expect(isRunning(server)).toBe(true)
  expect(await gancho.stop()).toBe(0)
  expect(isRunning(server)).toBe(false)
})
