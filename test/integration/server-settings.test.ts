import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { checkServer, UnfitServerError } from '../../src/redis/check-server.ts'
import { openConnections } from '../../src/redis/connections.ts'
import { startTestRedis } from '../support/redis.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Everything that is said at start about a server with these settings. */
async function saidAbout(config: readonly string[]): Promise<string[]> {
  const server = await startTestRedis({ config })
  closing.push(server.stop)
  const said: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => said.push(JSON.parse(line).msg) })
  const connections = await openConnections({ url: server.url, log })
  closing.push(connections.close)
  await checkServer(connections.commands, log)
  return said
}

test('a server that keeps what it accepts is not warned about', async () => {
  expect(await saidAbout([])).toEqual([])
})

test('a server that may grow until the machine is full is warned about', async () => {
  expect(await saidAbout(['maxmemory 0'])).toEqual([expect.stringContaining('set maxmemory')])
})

test('a server that would lose events in a crash, or evict them, is warned about', async () => {
  const said = await saidAbout(['appendonly no', 'maxmemory 100mb', 'maxmemory-policy allkeys-lru'])
  expect(said.join()).toMatch(/append-only file.*noeviction/s)
})

test('a single node of a Cluster is refused, with what to name instead', async () => {
  const refused = saidAbout(['cluster-enabled yes'])
  await expect(refused).rejects.toThrow(UnfitServerError)
  await expect(refused).rejects.toThrow('several, separated by commas')
})

test('several servers that are no Cluster are refused, with what to name instead', async () => {
  const server = await startTestRedis()
  closing.push(server.stop)
  const opening = openConnections({ url: `${server.url},${server.url}`, log: pino({ level: 'silent' }) })
  await expect(opening).rejects.toThrow(UnfitServerError)
  await expect(opening).rejects.toThrow('they are none: name one of them')
})
