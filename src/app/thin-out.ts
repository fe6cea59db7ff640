import type { LoggerOptions } from 'pino'
import { type ErrorCode, GanchoError } from '../errors.ts'

type LogMethod = NonNullable<NonNullable<LoggerOptions['hooks']>['logMethod']>

/**
 * A hook for pino: what every request meets at the same time, such as Redis being away (503), is told once in `everyMs` for each
 * code, with the number of lines left out since. A line a request would fill disks while senders try again and again.
 */
export function thinOut({ everyMs, now }: { everyMs: number; now: () => number }): LogMethod {
  const told = new Map<ErrorCode, { at: number; leftOut: number }>()
  return function logMethod(args, method) {
    const [facts] = args as unknown as [unknown]
    const error = (facts as { err?: unknown } | undefined)?.err
    if (!(error instanceof GanchoError) || error.status !== 503) return method.apply(this, args)
    const last = told.get(error.code)
    if (last && now() - last.at < everyMs) {
      last.leftOut += 1
      return
    }
    told.set(error.code, { at: now(), leftOut: 0 })
    if (last?.leftOut) Object.assign(facts as object, { leftOut: last.leftOut })
    return method.apply(this, args)
  }
}
