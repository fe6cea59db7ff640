import { GanchoError } from '../../errors.ts'
import { ConstraintError } from '../sql.ts'
import type { ThreadFailure } from './thread-protocol.ts'

const constraint = 19

/** Primary result codes that speak of the file or the machine and not of the statement (https://sqlite.org/rescode.html). */
const unavailable = new Set([
  3, // PERM
  5, // BUSY, beyond the busy timeout
  6, // LOCKED
  7, // NOMEM
  8, // READONLY
  9, // INTERRUPT
  10, // IOERR
  11, // CORRUPT
  13, // FULL
  14, // CANTOPEN
  15, // PROTOCOL
  26, // NOTADB
])

/** What a failure of the database thread means: ConstraintError, GanchoError DATABASE_UNAVAILABLE, or a plain Error for a faulty statement. */
export function errorOfFailure(failure: ThreadFailure): Error {
  const cause = Object.assign(new Error(failure.message), { errcode: failure.errcode, stack: failure.stack })
  const primary = (failure.errcode ?? 0) % 256
  if (primary === constraint) return new ConstraintError(cause)
  if (unavailable.has(primary)) return new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause })
  return cause
}
