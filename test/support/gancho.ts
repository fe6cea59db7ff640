import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isRunning, machineEnvironment, noEnvFile } from './processes.ts'

export const adminToken = 'gadm_for-tests-only-0123456789'
const thisCheckout = new URL('../../', import.meta.url)

export type GanchoProcess = {
  /** Origin that it listens on. */
  origin: string
  pid: number
  /** Everything it printed so far. */
  output(): string
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>
  /** SIGKILL; resolves when it is gone. */
  kill9(): Promise<void>
}

/** `checkout`: of Gancho, this one unless another is given. */
type Options = { env: Record<string, string>; startWithinMs?: number; checkout?: URL | undefined }

const running = new Set<ChildProcess>()
// A test that fails half-way leaves no process behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts Gancho as a process of its own on a free port; resolves when it takes requests. */
export async function startGancho(options: Options): Promise<GanchoProcess> {
  const { env, startWithinMs = 60_000, checkout = thisCheckout } = options
  const main = fileURLToPath(new URL('src/main.ts', checkout))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env: { ...machineEnvironment, PORT: '0', ADMIN_TOKEN: adminToken, ...noEnvFile, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  void once(child, 'exit').then(() => running.delete(child))
  // Closed, and not only ended: by then all that it printed is here.
  const exited = once(child, 'close').then(([code]) => code as number | null)
  let text = ''
  const origin = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`did not start in time:\n${text}`)), startWithinMs)
    const listen = (chunk: Buffer) => {
      text += chunk
      const found = /Health\s+(http:\/\/[^/]+)\/health/.exec(text)?.[1]
      if (found) resolve(found)
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    exited.then((code) => reject(new Error(`ended with ${code}:\n${text}`)))
    void exited.finally(() => clearTimeout(late))
  })
  const end = async (signal: NodeJS.Signals) => {
    if (isRunning(child.pid ?? 0)) child.kill(signal)
    return exited
  }
  return {
    origin,
    pid: child.pid ?? 0,
    output: () => text,
    stop: () => end('SIGTERM'),
    kill9: async () => {
      await end('SIGKILL')
    },
  }
}

/**
 * For tests that kill workers: the jobs that one had in hand are another's after some seconds. An attempt has no more time than that:
 * longer than a busy machine stops whoever is to kill its worker.
 */
export const soonTakenOver = { ATTEMPT_TIMEOUT_MS: '8000', LOCK_DURATION_MS: '1000' }

/** A temporary data directory and the variables that processes share which work together. Times are short, so that tests need not wait. */
export function sharedEnvironment(redisUrl: string, destinationUrl: string) {
  const dataDir = mkdtempSync(join(tmpdir(), 'gancho-data-'))
  const env = {
    REDIS_URL: redisUrl,
    DATA_DIR: dataDir,
    DESTINATION_URL: destinationUrl,
    ENCRYPTION_SECRET: 'an encryption secret for tests',
    RETRY_SCHEDULE_SECONDS: '0,0,0,0',
    // Long enough that no busy machine makes an attempt twice.
    ATTEMPT_TIMEOUT_MS: '20000',
    LOCK_DURATION_MS: '5000',
    SWEEP_INTERVAL_MS: '500',
    BREAKER_COOLDOWN_SECONDS: '1',
    LOG_LEVEL: 'info',
  }
  return { env, dataDir, remove: () => rm(dataDir, { recursive: true, force: true, maxRetries: 10 }) }
}
