import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
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
