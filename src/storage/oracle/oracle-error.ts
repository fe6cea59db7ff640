import { GanchoError } from '../../errors.ts'
import { ConstraintError } from '../sql.ts'

/** Codes of one meaning; ORA-… are the server's, NJS-… the driver's, which turns most of a broken connection into NJS-500. */
const constraint = new Set(['ORA-00001', 'ORA-01400', 'ORA-01407', 'ORA-02290', 'ORA-02291', 'ORA-02292'])

/** The code of a call that the server neither answers nor lets be cancelled. */
export const hung = 'HUNG'

const connectionLost = [
  hung,
  'NJS-003', // closed under us
  'NJS-500',
  'NJS-501',
  'NJS-521',
  'ORA-00028', // session killed
  'ORA-01012', // not logged on
  'ORA-03113',
  'ORA-03114',
  'ORA-03135',
]

const notThereYet = [
  'NJS-503', // refused, or the name does not resolve
  'NJS-510', // no answer in time
  'NJS-511', // the listener refuses
  'NJS-518', // the listener does not know the service, as in the middle of a switch-over
  'ORA-01033',
  'ORA-01034',
  'ORA-01089',
  'ORA-12170',
  'ORA-12514',
  'ORA-12528',
  'ORA-12541',
]

/** The server gave up one side of a conflict. */
const conflict = ['ORA-00054', 'ORA-00060', 'ORA-01555', 'ORA-08177']

const repeatable = new Set([...connectionLost, ...notThereYet, ...conflict])

/** Speaks of the account, the space, the load or this process, and not of the statement. */
const unavailable = new Set([
  ...repeatable,
  'NJS-002', // the pool is gone
  'NJS-040', // no connection of the pool became free in time
  'NJS-064',
  'NJS-065',
  'NJS-076',
  'NJS-123', // the call timed out
  'ORA-00018', // too many sessions
  'ORA-00020', // too many processes
  'ORA-00257', // archiver stuck
  'ORA-01013', // cancelled
  'ORA-01017', // user or password
  'ORA-01045', // may not log on
  'ORA-01536', // quota
  'ORA-01652',
  'ORA-01653', // no room in the tablespace
  'ORA-01654',
  'ORA-01688',
  'ORA-01691',
  'ORA-04031',
  'ORA-16000', // open read-only
  'ORA-28000', // account locked
  'ORA-28001', // password expired
  'ORA-30036',
])

/** A table, index or column that a migration makes is there: an instance that starts at the same time made it. */
const alreadyThere = new Set(['ORA-00955', 'ORA-01408', 'ORA-01430', 'ORA-02260', 'ORA-02275'])

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** Everything from the network up to the log-on: ORA-12150 to 12699, and NJS-500 to 599. */
const ofTheNetwork = (code: string) => /^(ORA-12(1[5-9]|[2-6]\d)\d|NJS-5\d\d)$/.test(code)

/** Whether the same, tried once more on another connection, may succeed. For what changed nothing. */
export const isWorthRepeating = (error: unknown): boolean => repeatable.has(codeOf(error))

/** Whether the connection is of no more use; also of an error that was told apart already. */
export const isConnectionLost = (error: unknown): boolean =>
  [error, (error as Error).cause].some((one) => connectionLost.includes(codeOf(one)))

export const isAlreadyThere = (error: unknown): boolean => alreadyThere.has(codeOf(error))

/** There is no such table, or not for this account. */
export const isNotThere = (error: unknown): boolean => codeOf(error) === 'ORA-00942'

/**
 * What an error of the driver means: ConstraintError, GanchoError DATABASE_UNAVAILABLE, or the error itself for a faulty statement.
 */
export function errorOfOracle(error: unknown): unknown {
  const code = codeOf(error)
  if (error instanceof GanchoError) return error
  if (constraint.has(code)) return new ConstraintError(error)
  if (unavailable.has(code) || ofTheNetwork(code))
    return new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause: error })
  return error
}
