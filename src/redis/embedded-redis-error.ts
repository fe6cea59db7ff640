export type EmbeddedRedisProblem = 'data-dir-in-use' | 'no-server' | 'not-started' | 'unsupported'

/** Why Gancho could not start a Redis server of its own. The message is made for the person at the terminal; no stack trace is needed. */
export class EmbeddedRedisError extends Error {
  readonly problem: EmbeddedRedisProblem

  constructor(problem: EmbeddedRedisProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'EmbeddedRedisError'
    this.problem = problem
  }
}
