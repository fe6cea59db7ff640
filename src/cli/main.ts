import { environmentVariables } from '../config.ts'
import { EnvFileError, readEnvFile, withEnvironment } from '../env-file.ts'
import type { Environment } from './access.ts'
import { exitCodes } from './failure.ts'
import { createOutput } from './output.ts'
import { runProgram } from './program.ts'

function environmentOrExit(): { env: Environment; envWarnings: readonly string[] } {
  try {
    const file = readEnvFile({ named: process.env.GANCHO_ENV_FILE, known: environmentVariables })
    return { env: withEnvironment(file, process.env), envWarnings: file.warnings }
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
process.once('SIGINT', () => interrupted.abort())
process.once('SIGTERM', () => interrupted.abort())

process.exitCode = await runProgram(process.argv.slice(2), {
  ...environmentOrExit(),
  output: createOutput(process),
  stdin: process.stdin,
  interrupted: interrupted.signal,
})
