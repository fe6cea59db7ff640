// First of all, see there.
import './production.ts'

import { createLog } from './app/log.ts'
import { startProblem } from './app/start-problem.ts'
import { within } from './app/within.ts'
import { type App, startApp } from './app.ts'
import { environmentVariables, readConfig } from './config.ts'
import { readEnvironment } from './env-file.ts'

/** What is left when everything bounded has had its time. */
const lastResortMs = 15_000
const startGraceMs = 5_000

function configOrExit() {
  try {
    const { env, warnings } = readEnvironment(process.env, environmentVariables)
    // OpenTelemetry's SDK reads its own, and would miss those that stand in the file.
    for (const name in env) if (name.startsWith('OTEL_')) process.env[name] ??= env[name]
    return { config: readConfig(env), warnings }
  } catch (error) {
    const problem = startProblem(error)
    if (problem === undefined) throw error
    console.error(`Gancho cannot start: ${problem}`)
    process.exit(1)
  }
}

// Payloads and tokens are in what this process writes: for its owner alone.
process.umask(0o077)
const { config, warnings } = configOrExit()
const log = createLog({ level: config.LOG_LEVEL, forPeople: !config.REDIS_URL || process.stdout.isTTY })
for (const warning of warnings) log.warn(warning)

let app: App | undefined
let stopping = false

async function stop(signal: string): Promise<void> {
  if (stopping) return
  stopping = true
  log.info({ signal }, 'stopping: finishing what is in flight')
  setTimeout(
    () => {
      log.error('could not stop in time')
      process.exit(1)
    },
    config.SHUTDOWN_DELAY_MS + config.SHUTDOWN_TIMEOUT_MS + lastResortMs,
  ).unref()
  // One that is still starting has taken no request: when it does not get ready soon, there is nothing to finish.
  await within(starting, startGraceMs)
  await app?.close()
  log.info('stopped')
  process.exit(0)
}

// Before anything starts: a signal is to find somebody who knows what to do.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop(signal))
const starting = startApp(config, log)
try {
  app = await starting
  if (!stopping) console.log(app.banner)
  // Whoever started this process with a channel to it, as PM2 does, learns that it takes requests.
  process.send?.('ready')
} catch (error) {
  const problem = startProblem(error)
  if (problem === undefined) log.fatal({ err: error }, 'Gancho cannot start')
  else console.error(`Gancho cannot start: ${problem}`)
  process.exit(1)
}
