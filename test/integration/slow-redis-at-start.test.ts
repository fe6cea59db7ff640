import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkServer } from '../../src/redis/check-server.ts'
import { type Connections, openConnections } from '../../src/redis/connections.ts'
import { untilAnswered } from '../../src/redis/until-answered.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

const lines: string[] = []
const log = pino({ level: 'warn' }, { write: (line) => lines.push(line) })
let redis: TestRedis
let connections: Connections

beforeAll(async () => {
  redis = await startTestRedis()
  connections = await openConnections({ url: redis.url, log, commandTimeoutMs: 50 })
})
afterAll(async () => {
  await connections.close()
  await redis.stop()
})

test('what a process asks Redis at its start is asked until there is an answer, and its log says so once', async () => {
  let asked = 0
  const ask = async () => {
    asked += 1
    // The server is heard again with the third question.
    if (asked === 1) process.kill(redis.pid, 'SIGSTOP')
    if (asked === 3) process.kill(redis.pid, 'SIGCONT')
    return checkServer(connections.commands, log)
  }
  await untilAnswered(ask, log)
  expect(asked).toBeGreaterThanOrEqual(3)
  expect(lines.filter((line) => line.includes('does not answer in time'))).toHaveLength(1)
})

test('one that is lost with a question under way is asked again when it is back', async () => {
  const own = await openConnections({ url: redis.url, log, commandTimeoutMs: 60_000 })
  let asked = 0
  const ask = async () => {
    asked += 1
    if (asked > 1) return checkServer(own.commands, log)
    process.kill(redis.pid, 'SIGSTOP')
    const answered = checkServer(own.commands, log)
    const lost = expect(answered).rejects.toThrow()
    await redis.kill9()
    await lost
    await redis.restart({ keepData: true })
    return answered
  }
  await untilAnswered(ask, log)
  expect(asked).toBeGreaterThan(1)
  await own.close()
})

test('a refusal is one', async () => {
  const ask = async () => {
    await connections.patient.call('NONSENSE')
  }
  await expect(untilAnswered(ask, log)).rejects.toThrow(/unknown command/)
})
