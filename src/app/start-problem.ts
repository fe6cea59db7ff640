import { ConfigError } from '../config.ts'
import { EnvFileError } from '../env-file.ts'
import { GanchoError } from '../errors.ts'
import { UnfitServerError } from '../redis/check-server.ts'
import { ForeignDataSetError } from '../redis/data-set.ts'
import { EmbeddedRedisError } from '../redis/embedded-redis-error.ts'

const forPeople = [EmbeddedRedisError, ForeignDataSetError, UnfitServerError]
const longestReason = 300

/**
 * Why a process cannot start, told to the person who starts it: one line, and one for each wrong variable. Undefined for what that
 * person can do nothing about, which is for the log.
 */
export function startProblem(error: unknown): string | undefined {
  if (error instanceof ConfigError || error instanceof EnvFileError)
    return `the environment is not right:\n  ${error.problems.join('\n  ')}`
  if (error instanceof GanchoError && error.code === 'DATABASE_UNAVAILABLE') return databaseProblem(error)
  if (error instanceof Error && forPeople.some((kind) => error instanceof kind)) return error.message
  return undefined
}

function databaseProblem(error: GanchoError): string {
  const reason = reasonOf(error)
  const isOracle = /\b(NJS|ORA|HUNG)\b/.test(reason)
  const check = isOracle
    ? 'that it runs, and DB_CONNECT, DB_USER and DB_PASS'
    : 'that DATA_DIR is a folder that this account may write to, with room on its disk'
  return `the database cannot be reached: ${reason}. Check ${check}.`
}

/** The innermost cause, whose code tells most. */
function reasonOf(error: Error): string {
  if (error.cause instanceof Error) return reasonOf(error.cause)
  const { code, errcode } = error as { code?: string; errcode?: number }
  const [line = ''] = error.message.split('\n')
  const text = line.slice(0, longestReason).replace(/\.$/, '')
  const named = code ?? (errcode === undefined ? undefined : `SQLite ${errcode}`)
  return named === undefined || text.includes(named) ? text : `${named}: ${text}`
}
