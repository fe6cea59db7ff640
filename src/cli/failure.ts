/** How `gancho` ends; scripts rely on these. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const

type Details = {
  code?: string | undefined
  requestId?: string | undefined
  retryAfterMs?: number | undefined
}

/** What the person at the terminal reads in place of a result; its message never holds a token. */
export class CliError extends Error {
  readonly exitCode: number
  /** The server's code, such as TENANT_NOT_FOUND. */
  readonly code: string | undefined
  /** By which the server's log knows the request. */
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(exitCode: number, message: string, details: Details = {}) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
    this.code = details.code
    this.requestId = details.requestId
    this.retryAfterMs = details.retryAfterMs
  }
}

/** Thrown for what was typed. */
export const usageError = (message: string) => new CliError(exitCodes.usage, message)
