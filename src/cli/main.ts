import { environmentVariables } from '../config.ts'
import { EnvFileError, readEnvironment } from '../env-file.ts'
import type { Environment } from './access.ts'
import { exitCodes } from './failure.ts'
import { createOutput } from './output.ts'
import { runProgram } from './program.ts'

function environmentOrExit(): { env: Environment; envWarnings: readonly string[] } {
  try {
    const { env, warnings } = readEnvironment(process.env, environmentVariables)
    return { env, envWarnings: warnings }
  } catch (error) {
    if (!(error instanceof EnvFileError)) throw error
    console.error(`gancho: ${error.problems.join('\n  ')}`)
    process.exit(exitCodes.usage)
  }
}

// Whoever reads the output has seen enough, as head does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok)
  throw error
})
const interrupted = new AbortController()
let interruptedAt = Number.POSITIVE_INFINITY
/** One Ctrl-C can arrive twice: from the terminal, and passed on by the launcher. */
const sameMs = 500
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (Date.now() - interruptedAt > sameMs) process.exit(exitCodes.failed)
    interruptedAt = Math.min(interruptedAt, Date.now())
    interrupted.abort()
  })
}

process.exitCode = await runProgram(process.argv.slice(2), {
  ...environmentOrExit(),
  output: createOutput(process),
  stdin: process.stdin,
  interrupted: interrupted.signal,
})
