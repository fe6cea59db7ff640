import { z } from 'zod'

const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback)
const atLeastZero = (fallback: number) => z.coerce.number().int().min(0).default(fallback)
const httpUrl = z.url({ protocol: /^https?$/ })

/** A comma-separated list of whole seconds. */
const seconds = z
  .string()
  .transform((text) => text.split(',').map((part) => Number(part.trim())))
  .refine(
    (list) => list.every((value) => Number.isInteger(value) && value >= 0),
    'expected whole seconds, separated by commas',
  )

/**
 * Upper bounds of the delays after attempts 1 to 10 (10 s, 1 min, 5 min, 20 min, then 1, 2, 4, 8, 16, 24 h). Each delay is drawn
 * evenly between 0 and its bound (full jitter), so eleven attempts take about 28 hours on average.
 */
const defaultRetrySchedule = '10,60,300,1200,3600,7200,14400,28800,57600,86400'

const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65535).default(4000),
  ROLE: z.enum(['all', 'gateway', 'worker']).default('all'),
  DATA_DIR: z.string().min(1).default('.gancho'),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'expected redis://… or rediss://…' }).optional(),
  ADMIN_TOKEN: z.string().min(16, 'expected at least 16 characters').optional(),
  ENCRYPTION_SECRET: z.string().min(16, 'expected at least 16 characters').optional(),
  DESTINATION_URL: httpUrl.optional(),
  MAX_BACKLOG: positive(1_000_000),
  JOURNAL_MAX_ENTRIES: positive(1_000_000),
  MAX_BODY_BYTES: positive(1_048_576),
  REQUEST_TIMEOUT_MS: positive(30_000),
  RETENTION_DAYS: positive(14),
  WORKER_CONCURRENCY: positive(50),
  TOKEN_CACHE_TTL_SECONDS: positive(300),
  IDEMPOTENCY_TTL_SECONDS: positive(86_400),
  RETRY_SCHEDULE_SECONDS: seconds.default(seconds.parse(defaultRetrySchedule)),
  FINAL_STATUS_CODES: z
    .string()
    .default('410')
    .transform((text) => text.split(',').filter(Boolean).map(Number))
    .refine(
      (list) => list.every((code) => code >= 300 && code <= 599),
      'expected status codes from 300 to 599, separated by commas',
    ),
  CONNECT_TIMEOUT_MS: positive(5_000),
  ATTEMPT_TIMEOUT_MS: positive(30_000),
  MAX_REPROCESS_ROUNDS: positive(20),
  LOCK_DURATION_MS: positive(30_000),
  SWEEP_INTERVAL_MS: positive(30_000),
  SHUTDOWN_TIMEOUT_MS: atLeastZero(35_000),
  MAINTENANCE_CRON: z.string().default('0 3 * * *'),
  GRAPHIQL: z.stringbool().optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})

export type Config = Readonly<z.output<typeof environment>>

/** Thrown by `readConfig`: one line for each wrong variable, with what was expected. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/**
 * Reads and checks the whole environment at once; empty strings count as unset.
 * @throws ConfigError with every problem found.
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const set = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  )
  const parsed = environment.safeParse(set)
  const problems = parsed.success
    ? missingForProduction(parsed.data)
    : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(parsed.data)
}

/**
 * What is made up fits the embedded Redis alone: a second process would make other secrets and could not read the first one's
 * tokens, and a sample receiver is no destination for real events.
 */
function missingForProduction(config: Config): string[] {
  if (!config.REDIS_URL) return []
  const delivers = config.ROLE !== 'gateway'
  return ['ADMIN_TOKEN', 'ENCRYPTION_SECRET', ...(delivers ? ['DESTINATION_URL'] : [])]
    .filter((name) => !config[name as keyof Config])
    .map((name) => `${name}: required as soon as REDIS_URL is set`)
}
