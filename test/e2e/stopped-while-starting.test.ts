import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { openFleet } from '../support/fleet.ts'
import { freePort } from '../support/free-port.ts'
import { adminToken, sharedEnvironment } from '../support/gancho.ts'
import { noEnvFile } from '../support/processes.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

test('a process that is stopped while it waits for its Redis ends cleanly and soon', async () => {
  const nobody = `redis://127.0.0.1:${await freePort()}`
  const { env, remove } = sharedEnvironment(nobody, 'http://127.0.0.1:1/')
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH ?? '', PORT: '0', ADMIN_TOKEN: adminToken, ...noEnvFile, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let said = ''
  for await (const chunk of child.stdout) {
    said += chunk
    if (said.includes('connection lost')) child.kill('SIGTERM')
  }
  expect(await exited).toEqual([0, null])
  expect(said).toContain('stopped')
  await remove()
})

test('a process that finds its Redis slow waits for it', async () => {
  const fleet = await openFleet({ answer: (response) => response.end() })
  const isTold = async () => {
    const starting = fleet.start('gateway')
    const isConnected = async () => String(await fleet.data.client('LIST')).includes('gancho-intake')
    await until(isConnected, { what: 'it is connected' })
    // For longer than it gives Redis for an answer.
    await fleet.data.call('CLIENT', 'PAUSE', '2500', 'ALL')
    const gancho = await starting
    expect(await gancho.stop()).toBe(0)
    // Else it had its answers before.
    return gancho.output().includes('Redis does not answer in time')
  }
  try {
    await until(isTold, { what: 'one that asks a slow Redis', withinMs: 120_000 })
  } finally {
    await fleet.close()
  }
})
