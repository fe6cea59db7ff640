import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findServer } from '../../src/redis/find-server.ts'
import type { InstallFacts } from '../../src/redis/install-plan.ts'
import { requireServer } from '../../src/redis/install-server.ts'

let onPath: string
let elsewhere: string

beforeEach(() => {
  onPath = mkdtempSync(join(tmpdir(), 'gancho-path-'))
  elsewhere = mkdtempSync(join(tmpdir(), 'gancho-place-'))
})

afterEach(() => {
  for (const dir of [onPath, elsewhere]) rmSync(dir, { recursive: true, force: true })
})

function place(dir: string, name: string, output: string): string {
  const path = join(dir, name)
  writeFileSync(path, `#!/bin/sh\necho '${output}'\n`, { mode: 0o755 })
  return path
}
const find = () => findServer({ path: onPath, places: [elsewhere] })
const redis = (version: string) => `Redis server v=${version} sha=00000000:0 malloc=jemalloc-5.3.0 bits=64`
const valkey = (version: string) => `Valkey server v=${version} sha=00000000:0 malloc=libc bits=64`

describe('looking for a server', () => {
  it('finds none where there is none', async () => {
    expect(await find()).toEqual({ kind: 'none' })
  })

  it('prefers the PATH to other places and Redis to Valkey', async () => {
    place(onPath, 'valkey-server', valkey('8.1.1'))
    const binary = place(elsewhere, 'redis-server', redis('7.0.15'))
    expect(await find()).toEqual({ kind: 'found', binary, version: '7.0.15' })
    place(onPath, 'redis-server', redis('7.2.4'))
    expect(await find()).toMatchObject({ kind: 'found', binary: 'redis-server', version: '7.2.4' })
  })

  it('passes over what is too old or does not run', async () => {
    place(onPath, 'redis-server', redis('6.0.16'))
    writeFileSync(join(elsewhere, 'redis-server'), 'not a program', { mode: 0o755 })
    expect(await find()).toEqual({ kind: 'too-old', binary: 'redis-server', version: '6.0.16' })
    place(elsewhere, 'valkey-server', valkey('7.2.10'))
    expect(await find()).toMatchObject({ kind: 'found', version: '7.2.10' })
  })

  it.each([
    ['6.2.0', 'found'],
    ['10.0.0', 'found'],
    ['6.1.99', 'too-old'],
    ['5.0.14', 'too-old'],
  ])('takes version %s as %s', async (version, kind) => {
    place(onPath, 'redis-server', redis(version))
    expect(await find()).toMatchObject({ kind, version })
  })
})

describe('requiring a server', () => {
  const log = { info: () => {} }
  const user: InstallFacts = {
    isRoot: false,
    hasTerminal: true,
    hasSudo: true,
    hasSystemd: false,
    managers: ['apt-get'],
  }
  const never = () => Promise.reject(new Error('nobody is to be asked'))

  it('gives the one that is there without a question', async () => {
    place(onPath, 'redis-server', redis('7.0.15'))
    expect(await requireServer({ log, find, facts: user, ask: never })).toBe('redis-server')
  })

  it('installs nothing after a no', async () => {
    const asked: string[] = []
    const no = async (question: string) => asked.push(question) < 0
    await expect(requireServer({ log, find, facts: user, ask: no })).rejects.toMatchObject({
      problem: 'no-server',
    })
    expect(asked).toEqual(['No Redis server found on this machine. Install one now with apt-get?'])
  })

  it('tells in one line what to type where it may not install', async () => {
    const facts = { ...user, hasTerminal: false }
    await expect(requireServer({ log, find, facts, ask: never })).rejects.toMatchObject({
      problem: 'no-server',
      message: expect.stringMatching(/^.*"sudo apt-get install -y redis-server".*$/),
    })
  })

  it('leaves an old server alone and says that it is too old', async () => {
    place(onPath, 'redis-server', redis('6.0.16'))
    await expect(
      requireServer({ log, find, facts: { ...user, isRoot: true }, ask: never }),
    ).rejects.toMatchObject({
      problem: 'no-server',
      message: expect.stringMatching(/^redis-server is version 6\.0\.16; Gancho needs 6\.2\.0 or newer\..*$/),
    })
  })
})
