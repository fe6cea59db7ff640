import { type Logger, pino, stdSerializers } from 'pino'
import pretty from 'pino-pretty'
import { GanchoError } from '../errors.ts'
import { thinOut } from './thin-out.ts'

type Options = { level: string; forPeople: boolean }

/**
 * Of an error only what cannot hold a secret: a Redis error carries its command with all arguments, payloads and tokens among them,
 * as a property.
 */
function safeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message, stack, cause } = error
  const code = error instanceof GanchoError ? error.code : (error as { code?: unknown }).code
  return { type: name, message, code, stack, cause: cause === undefined ? undefined : safeError(cause) }
}

/** JSON lines, or text for a person at a terminal. Credentials are cut out wherever a logged object might hold them. */
export function createLog({ level, forPeople }: Options): Logger {
  const options = {
    level,
    serializers: { ...stdSerializers, err: safeError },
    hooks: { logMethod: thinOut({ everyMs: 5_000, now: Date.now }) },
    redact: {
      paths: [
        'authorization',
        'token',
        'body',
        'payload',
        '*.authorization',
        '*.token',
        '*.body',
        '*.payload',
      ],
      censor: '[redacted]',
    },
  }
  if (!forPeople) return pino(options)
  return pino(
    options,
    pretty({
      sync: true,
      ignore: 'pid,hostname',
      translateTime: 'HH:MM:ss.l',
      singleLine: true,
      errorLikeObjectKeys: ['err'],
    }),
  )
}
