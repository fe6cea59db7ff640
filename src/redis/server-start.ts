import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { EmbeddedRedisError } from './embedded-redis-error.ts'
import { freePort } from './free-port.ts'
import { waitUntilAnswering } from './server-answers.ts'
import { type ServerAccess, type ServerFiles, writeServerConfig } from './server-files.ts'
import { type ServerProcess, spawnServer } from './server-process.ts'

export type Server = {
  binary: string
  files: ServerFiles
  log: { info(message: string): void }
  /** Aborting it stops the server, whether it starts or runs. */
  closing: AbortSignal
}
export type Access = ServerAccess & { port: number }
type Started = { kind: 'running'; running: ServerProcess } | { kind: 'port-taken' | 'failed'; output: string }

/** A file of some GB loads in minutes. */
const loadTimeoutMs = 15 * 60_000
const bindAttempts = 5

export const urlOf = ({ port, password }: Access) => `redis://:${password}@127.0.0.1:${port}`

/**
 * Starts the server on its last port, or on any free one. Between finding a port free and binding it somebody else may take it.
 * @throws EmbeddedRedisError `not-started` with what the server's log says.
 */
export async function startOnFreePort(
  server: Server,
  last: ServerAccess,
): Promise<{ access: Access; running: ServerProcess }> {
  for (let attempt = 1; ; attempt++) {
    const access = { port: await freePort(attempt === 1 ? last.port : undefined), password: last.password }
    const started = await tryStart(server, access)
    if (started.kind === 'running') return { access, running: started.running }
    if (started.kind === 'failed' || attempt === bindAttempts) throw notStarted(server, started.output)
  }
}

/**
 * Starts the server on that port; resolves when it has loaded its data and answers.
 * @throws EmbeddedRedisError `not-started` with what the server's log says.
 */
export async function startOnPort(server: Server, access: Access): Promise<ServerProcess> {
  const started = await tryStart(server, access)
  if (started.kind === 'running') return started.running
  throw notStarted(server, started.output)
}

async function tryStart({ binary, files, log, closing }: Server, access: Access): Promise<Started> {
  closing.throwIfAborted()
  writeServerConfig(files, access)
  const logStart = statSync(files.log, { throwIfNoEntry: false })?.size ?? 0
  const running = spawnServer({ binary, configFile: files.config, logFile: files.log })
  closing.addEventListener('abort', () => running.stop(), { once: true })
  const outcome = await waitUntilAnswering({
    url: urlOf(access),
    exited: running.exited,
    timeoutMs: loadTimeoutMs,
    onSlow: () => log.info(`The Redis server is loading its data from ${files.dir}; this may take a while.`),
  })
  if (outcome === 'ready') return { kind: 'running', running }
  await running.stop()
  const output = await readFrom(files.log, logStart)
  return { kind: /address already in use/i.test(output) ? 'port-taken' : 'failed', output }
}

const notStarted = ({ files }: Server, output: string) =>
  new EmbeddedRedisError(
    'not-started',
    `The Redis server did not start. The end of ${files.log}:\n${output.trim().split('\n').slice(-10).join('\n')}`,
  )

async function readFrom(path: string, position: number): Promise<string> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read({ position, length: 65_536, buffer: Buffer.alloc(65_536) })
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}
