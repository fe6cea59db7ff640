import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './client.ts'
import { freePort } from './free-port.ts'
import { temporaryFolder } from './temporary-folder.ts'

const caddyfile = fileURLToPath(new URL('../../deploy/Caddyfile', import.meta.url))

/** Why the proxy cannot run here; null when it can. */
export const missingCaddy =
  spawnSync('caddy', ['version']).status === 0 ? null : 'there is no caddy on the PATH'

/** The proxy of docker-compose.yml as it is configured there, before gateways on this machine, on a free port. */
export async function startCaddy(gateways: readonly { origin: string }[]) {
  const folder = await temporaryFolder()
  const port = await freePort()
  const upstreams = gateways.map(({ origin }) => new URL(origin).host).join(' ')
  const config = readFileSync(caddyfile, 'utf8')
    .replace(/reverse_proxy .* \{/, `reverse_proxy ${upstreams} {`)
    // A busy machine is no reason to leave a gateway out.
    .replace(/health_timeout .*/, 'health_timeout 20s')
    .replace(/^:4000 \{/m, `http://127.0.0.1:${port} {\n\tbind 127.0.0.1`)
  const file = join(folder.path, 'Caddyfile')
  await writeFile(file, config)
  const child = spawn('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], {
    env: { PATH: process.env.PATH ?? '', HOME: folder.path },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const exited = once(child, 'exit')
  let log = ''
  child.stderr.on('data', (chunk) => {
    log += chunk
  })
  const origin = `http://127.0.0.1:${port}`
  const ready = async () => {
    if (child.exitCode !== null) throw new Error(`caddy ended with ${child.exitCode}:\n${log}`)
    return (await fetch(`${origin}/health/ready`).catch(() => undefined))?.ok
  }
  await until(ready, { what: 'the proxy answers' })
  return {
    origin,
    log: () => log,
    async close() {
      process.off('exit', kill)
      kill()
      await exited
      await folder.remove()
    },
  }
}
