import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Owner, serverPid, startOwner } from '../support/owner.ts'
import { isRunning, parentOf } from '../support/processes.ts'

const onLinux = process.platform === 'linux'

let dataDir: string
let owners: Owner[]
let clients: Redis[]
let servers: Set<number>

beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'gancho-owner-')), 'data dir')
  owners = []
  clients = []
  servers = new Set()
})

afterEach(async () => {
  for (const client of clients) client.disconnect()
  for (const owner of owners) owner.child.kill('SIGKILL')
  await Promise.all(owners.map((owner) => owner.ended))
  await eventually(() => expect([...servers].filter(isRunning)).toEqual([]))
  rmSync(join(dataDir, '..'), { recursive: true, force: true })
})

async function own(): Promise<{ owner: Owner; url: string; redis: Redis; pid: number }> {
  const owner = startOwner(dataDir)
  owners.push(owner)
  const url = await owner.url()
  const redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  clients.push(redis)
  const pid = serverPid(dataDir)
  servers.add(pid)
  return { owner, url, redis, pid }
}

const newServerPid = (old: number) =>
  eventually(() => {
    const pid = serverPid(dataDir)
    expect(pid).not.toBe(old)
    // While it is written, there is none in the file.
    expect(pid).toBeGreaterThan(1)
    servers.add(pid)
    return pid
  })

async function killed(owner: Owner): Promise<void> {
  owner.child.kill('SIGKILL')
  await owner.ended
}

describe('the embedded Redis server', () => {
  it('keeps what it is given, evicts nothing, and listens on loopback only', async () => {
    const { redis } = await own()
    const settings = await redis.config(
      'GET',
      'appendonly',
      'appendfsync',
      'save',
      'auto-aof-rewrite-percentage',
      'maxmemory-policy',
      'bind',
    )
    expect(pairs(settings as string[])).toEqual({
      appendonly: 'yes',
      appendfsync: 'everysec',
      save: '',
      'auto-aof-rewrite-percentage': '300',
      'maxmemory-policy': 'noeviction',
      bind: '127.0.0.1',
    })
  })

  it('refuses whoever does not know its password', async () => {
    const { url } = await own()
    const stranger = new Redis(Number(new URL(url).port), '127.0.0.1', { enableReadyCheck: false })
    stranger.on('error', () => {})
    clients.push(stranger)
    await expect(stranger.ping()).rejects.toThrow(/NOAUTH/)
  })

  it('lets nobody but the owner read its files', async () => {
    const { redis } = await own()
    await redis.set('a', '1')
    const paths = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).map((path) =>
      join(dataDir, path),
    )
    const open = [dataDir, ...paths].filter((path) => (statSync(path).mode & 0o077) !== 0)
    expect(paths.length).toBeGreaterThan(4)
    expect(open).toEqual([])
  })

  it.runIf(onLinux)('shows its password on no command line', async () => {
    const { url, pid } = await own()
    const lines = [pid, parentOf(pid)].map((id) => readFileSync(`/proc/${id}/cmdline`, 'utf8'))
    expect(lines.every((line) => line.includes('redis.conf'))).toBe(true)
    expect(lines.join()).not.toContain(new URL(url).password)
  })

  it('outlives a Ctrl-C at the terminal until its owner closes it', async () => {
    const { owner, redis, pid } = await own()
    process.kill(-Number(owner.child.pid), 'SIGINT')
    await eventually(() => expect(owner.said).toContainEqual({ event: 'interrupted' }))
    expect(await redis.ping()).toBe('PONG')
    owner.child.kill('SIGTERM')
    expect(await owner.ended).toBe(0)
    expect(owner.said).toContainEqual({ event: 'closed' })
    expect(isRunning(pid)).toBe(false)
  })

  it('ends with an owner that is killed', async () => {
    const { owner, pid } = await own()
    expect(isRunning(pid)).toBe(true)
    await killed(owner)
    await eventually(() => expect(isRunning(pid)).toBe(false))
  })

  it('starts again at once after its owner was killed, on the same port and with every key', async () => {
    const first = await own()
    await first.redis.set('kept', 'yes')
    await killed(first.owner)
    const second = await own()
    expect(second.url).toBe(first.url)
    expect(await second.redis.get('kept')).toBe('yes')
  })

  it('is restarted on the same port with its data when it dies, and says so once', async () => {
    const { owner, redis, pid } = await own()
    await redis.set('kept', 'yes')
    process.kill(pid, 'SIGKILL')
    await newServerPid(pid)
    expect(await redis.get('kept')).toBe('yes')
    await eventually(() => expect(owner.said).toContainEqual({ log: 'The Redis server is back.' }))
    expect(owner.said.filter(({ log }) => log?.includes('ended unexpectedly'))).toHaveLength(1)
  })

  it.runIf(onLinux)('is replaced with its data when its watchdog is killed', async () => {
    const { redis, pid } = await own()
    await redis.set('kept', 'yes')
    process.kill(parentOf(pid), 'SIGKILL')
    await newServerPid(pid)
    expect(await redis.get('kept')).toBe('yes')
    expect(isRunning(pid)).toBe(false)
  })

  it.runIf(onLinux)('is ended by the next owner when nothing else could', async () => {
    const first = await own()
    await first.redis.set('kept', 'yes')
    process.kill(first.pid, 'SIGSTOP')
    process.kill(parentOf(first.pid), 'SIGKILL')
    await killed(first.owner)
    expect(isRunning(first.pid)).toBe(true)
    const second = startOwner(dataDir)
    owners.push(second)
    process.kill(first.pid, 'SIGCONT')
    const redis = new Redis(await second.url())
    clients.push(redis)
    servers.add(serverPid(dataDir))
    expect(await redis.get('kept')).toBe('yes')
    expect(isRunning(first.pid)).toBe(false)
  })

  it('takes another port when somebody else has the last one', async () => {
    const first = await own()
    first.owner.child.kill('SIGTERM')
    await first.owner.ended
    const squatter = createServer().listen(Number(new URL(first.url).port), '127.0.0.1')
    try {
      const second = await own()
      expect(second.url).not.toBe(first.url)
      expect(await second.redis.ping()).toBe('PONG')
    } finally {
      squatter.close()
    }
  })

  it('refuses a second owner and tells how to run a second process', async () => {
    const { redis } = await own()
    const second = startOwner(dataDir)
    expect(await second.ended).toBe(1)
    expect(second.errors()).toContain('already')
    expect(second.errors()).toContain(
      `(set -a; . '${join(dataDir, 'second-process.env')}'; ROLE=worker PORT=0 npm start)`,
    )
    expect(second.errors()).not.toMatch(/^\s+at /m)
    expect(await redis.ping()).toBe('PONG')
  })
})

function pairs(flat: string[]): Record<string, string | undefined> {
  const names = flat.filter((_, index) => index % 2 === 0)
  return Object.fromEntries(names.map((name, index) => [name, flat[index * 2 + 1]]))
}
