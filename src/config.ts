import { z } from 'zod'
import { readAllowedDocuments } from './graphql/allowed-documents-file.ts'
import { parseRedisAddress } from './redis/redis-address.ts'
import { defaultUpstream, maxUpstreams } from './sync/upstream/upstream-settings.ts'
import {
  apiKeyOf,
  originOf,
  pathOf,
  pointerOf,
  readUpstreamsFile,
  upstreamTimeoutMs,
} from './sync/upstream/upstreams-file.ts'
import { parseAccessWindow } from './tenants/access-window.ts'
import { parseAdminTokens } from './tenants/admin-tokens.ts'
import { parseAddressRanges } from './tenants/sender-addresses.ts'
import { standardWebhooks } from './tenants/sources/standard-webhooks.ts'

const whole = (fallback: number, min: number, max: number) => {
  const expected = `expected a whole number from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  return z.coerce.number(expected).int(expected).min(min, expected).max(max, expected).default(fallback)
}
const part = (fallback: number) => {
  const expected = 'expected a number from 0.01 to 1'
  return z.coerce.number(expected).min(0.01, expected).max(1, expected).default(fallback)
}
const count = (fallback: number) => whole(fallback, 1, 1_000_000_000)
/** Timers of Node hold at most 2^31 ms. */
const milliseconds = (fallback: number, min = 1) => whole(fallback, min, 2_000_000_000)
const httpUrl = z.url({ protocol: /^https?$/, error: 'expected http://… or https://…' })
/** Without a slash at its end: paths follow. */
const publicUrl = httpUrl.transform((url) => url.replace(/\/+$/, ''))
/** What an Authorization header can carry. */
const token = z
  .string()
  .regex(/^[!-~]{16,512}$/, 'expected 16 to 512 printable ASCII characters without blanks')

/** Whole numbers, separated by commas, each of the form `part`. */
const list = (part: RegExp, expected: string) =>
  z
    .string()
    .refine((text) => text.split(',').every((one) => part.test(one.trim())), expected)
    .transform((text) => text.split(',').map(Number))

const seconds = list(/^\d{1,7}$/, 'expected whole seconds, separated by commas')

/** The newest first, older ones so that what they have encrypted stays readable. One alone is taken as it is, blanks included. */
const secrets = z
  .string()
  .transform((text) => (text.includes(',') ? text.split(',').map((secret) => secret.trim()) : [text]))
  .refine((list) => list.every((secret) => secret.length >= 16), 'expected at least 16 characters')
  .transform((list) => list as [string, ...string[]])

/** The newest first, so that a receiver can change from one to the other. */
const signingSecrets = z
  .string()
  .transform((text) => text.split(',').map((secret) => secret.trim()))
  .refine(
    (list) => list.every(standardWebhooks.isSecret),
    'expected whsec_ and 24 to 64 bytes in base64, several separated by commas',
  )

/** The output of `parse`, or its complaint. */
const parsedBy = <Output>(parse: (text: string) => Output) =>
  z.string().transform((text, context) => {
    try {
      return parse(text)
    } catch (error) {
      context.addIssue((error as Error).message.replace(/\.$/, ''))
      return z.NEVER
    }
  })

const accessWindow = parsedBy(parseAccessWindow)
const redisUrl = parsedBy((text) => {
  parseRedisAddress(text)
  return text
})
const addressRanges = parsedBy((text) => parseAddressRanges(text.split(',')))
const adminTokens = z.string().transform((text, context) => {
  const tokens = parseAdminTokens(text)
  if (tokens) return tokens
  context.addIssue(
    'expected name:full:token or name:read:token, separated by commas, no name or token twice, tokens of 16 to 512 characters',
  )
  return z.NEVER
})

/** Null where the key is not exchanged. */
const tokenPath = z
  .string()
  .refine(
    (text) => text === 'none' || pathOf.safeParse(text).success,
    'expected a path that starts with /, or none',
  )
  .transform((text) => (text === 'none' ? null : text))

type FileProblems = readonly { at: string; message: string }[]
/** What is read from the file of that name, or what is wrong in it. */
const fileReadBy = <Output>(read: (path: string) => Output & { problems: FileProblems }) =>
  z.string().transform((path, context) => {
    const { problems, ...found } = read(path)
    for (const { at, message } of problems) context.addIssue({ code: 'custom', message, path: [at] })
    return problems.length > 0 ? z.NEVER : found
  })

const upstreamsFile = fileReadBy(readUpstreamsFile).transform(({ upstreams }) => upstreams)
const documentsFile = fileReadBy(readAllowedDocuments).transform(({ documents }) => documents)
/** As browsers send them in `Origin`: scheme, host and a port other than the scheme's own. */
const origins = z
  .string()
  .transform((text) => text.split(',').map((origin) => origin.trim()))
  .refine(
    (list) => list.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin),
    'expected origins such as https://app.example.com, separated by commas, without a path',
  )

/** Names of months and days, steps, ranges and lists included; five fields, or six with seconds. */
const cron = z
  .string()
  .regex(
    /^\s*([\dA-Za-z*?,/#-]+\s+){4,5}[\dA-Za-z*?,/#-]+\s*$/,
    'expected a cron expression of five fields, such as 0 3 * * *',
  )

/**
 * Upper bounds of the delays after attempts 1 to 10 (10 s, 1 min, 5 min, 20 min, then 1, 2, 4, 8, 16, 24 h). Each delay is drawn
 * evenly between 0 and its bound (full jitter), so eleven attempts take about 28 hours on average, and some draws less than a day:
 * `RETRY_FOR_SECONDS` has those go on.
 */
const defaultRetrySchedule = '10,60,300,1200,3600,7200,14400,28800,57600,86400'

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: whole(4000, 0, 65_535),
  ROLE: z.enum(['all', 'gateway', 'worker'], 'expected all, gateway or worker').default('all'),
  DATA_DIR: z.string().min(1).default('.gancho'),
  REDIS_URL: redisUrl.optional(),
  DB_CONNECT: z.string().optional(),
  DB_USER: z.string().optional(),
  DB_PASS: z.string().optional(),
  DB_POOL_MAX: whole(8, 1, 1_000),
  ADMIN_TOKEN: token.optional(),
  ADMIN_TOKENS: adminTokens.optional(),
  ADMIN_ACCESS_WINDOW: accessWindow.optional(),
  TRUSTED_PROXIES: addressRanges.default([]),
  METRICS_TOKEN: token.optional(),
  ENCRYPTION_SECRET: secrets.optional(),
  DESTINATION_URL: httpUrl.optional(),
  DESTINATION_SECRET: signingSecrets.default([]),
  ALLOWED_CIDRS: addressRanges.optional(),
  MAX_BACKLOG: count(1_000_000),
  JOURNAL_MAX_ENTRIES: count(1_000_000),
  MAX_BODY_BYTES: whole(1_048_576, 1, 268_435_456),
  REQUEST_TIMEOUT_MS: milliseconds(30_000),
  ALLOWED_ORIGINS: origins.default([]),
  MAX_STREAMS: whole(20_000, 1, 1_000_000),
  MAX_MESSAGE_BYTES: whole(65_536, 1_024, 16_777_216),
  STREAM_KEEP_ALIVE_MS: milliseconds(12_000),
  STREAM_STALL_MS: milliseconds(15_000),
  STREAM_TICKET_TTL_SECONDS: whole(120, 1, 86_400),
  RETENTION_DAYS: whole(14, 1, 36_500),
  WORKER_CONCURRENCY: whole(50, 1, 10_000),
  TOKEN_CACHE_TTL_SECONDS: count(300),
  IDEMPOTENCY_TTL_SECONDS: count(86_400),
  RETRY_FOR_SECONDS: whole(86_400, 0, 10_000_000),
  RETRY_SCHEDULE_SECONDS: seconds.default(seconds.parse(defaultRetrySchedule)),
  FINAL_STATUS_CODES: list(
    /^[3-5]\d\d$/,
    'expected status codes from 300 to 599, separated by commas',
  ).default([410]),
  FIFO_BLOCK_SECONDS: whole(3_600, 1, 2_592_000),
  BREAKER_FAILURE_RATE: part(0.5),
  BREAKER_MIN_ATTEMPTS: whole(20, 0, 100_000),
  BREAKER_COOLDOWN_SECONDS: whole(30, 1, 86_400),
  CONNECT_TIMEOUT_MS: milliseconds(5_000),
  ATTEMPT_TIMEOUT_MS: milliseconds(30_000),
  MAX_REPROCESS_ROUNDS: count(20),
  LOCK_DURATION_MS: milliseconds(30_000),
  SWEEP_INTERVAL_MS: milliseconds(30_000),
  SHUTDOWN_TIMEOUT_MS: milliseconds(35_000, 0),
  SHUTDOWN_DELAY_MS: milliseconds(0, 0),
  PUBLIC_URL: publicUrl.optional(),
  AWAITED_REPLY_TTL_SECONDS: count(86_400),
  MAX_WAITING_REPLIES: whole(10_000, 1, 1_000_000),
  MAINTENANCE_CRON: cron.default('0 3 * * *'),
  DOMAIN: originOf.optional(),
  APIKEY: apiKeyOf.optional(),
  TIMEOUT: whole(5_000, upstreamTimeoutMs.min, upstreamTimeoutMs.max),
  UPSTREAM_TOKEN_PATH: tokenPath.default('/auth/token'),
  UPSTREAM_REQUEST_PATH: pathOf.default('/qrcodes'),
  UPSTREAM_ID_POINTER: pointerOf.default('/id'),
  UPSTREAM_ERROR_POINTER: pointerOf.optional(),
  UPSTREAMS_FILE: upstreamsFile.default([]),
  ALLOWED_DOCUMENTS_FILE: documentsFile.optional(),
  GRAPHQL_INTROSPECTION: z.stringbool('expected true or false').optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: httpUrl.optional(),
  OTEL_SERVICE_NAME: z.string().default('gancho'),
  OTEL_SDK_DISABLED: z.stringbool('expected true or false').default(false),
  GRAPHIQL: z.stringbool('expected true or false').optional(),
  LOG_LEVEL: z.enum(logLevels, `expected one of ${logLevels.join(', ')}`).default('info'),
})

/** Names of all variables. */
export const environmentVariables: readonly string[] = Object.keys(environment.shape)

export type Config = Readonly<z.output<typeof environment>>

/** Thrown by `readConfig`: one line for each wrong variable, with what was expected and, unless it may be a secret, what was given. */
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
  const problems = new Map(missingForProduction(set))
  for (const { path, message } of parsed.error?.issues ?? []) {
    const [name, ...within] = path.map(String) as [string, ...string[]]
    // Of a file only the place is told.
    if (within.length > 0) problems.set([name, ...within].filter(Boolean).join(': '), message)
    else problems.set(name, `${message}, got ${shown(name, set[name])}`)
  }
  if (parsed.data?.ADMIN_TOKENS?.some(({ token }) => token === set.ADMIN_TOKEN))
    problems.set('ADMIN_TOKENS', 'has the token of ADMIN_TOKEN, which is a full one named admin')
  const listed = parsed.data?.UPSTREAMS_FILE ?? []
  if (set.DOMAIN && listed.some(({ name }) => name === defaultUpstream))
    problems.set('UPSTREAMS_FILE', `has an upstream named ${defaultUpstream}, which DOMAIN is already`)
  if (set.DOMAIN && listed.length >= maxUpstreams)
    problems.set('UPSTREAMS_FILE', `has ${maxUpstreams} upstreams, and DOMAIN is one more than there may be`)
  if (!parsed.success || problems.size > 0)
    throw new ConfigError([...problems].map(([name, problem]) => `${name}: ${problem}`))
  const ownSchedule = set.RETRY_SCHEDULE_SECONDS !== undefined && set.RETRY_FOR_SECONDS === undefined
  return Object.freeze({ ...parsed.data, ...(ownSchedule && { RETRY_FOR_SECONDS: 0 }) })
}

/** Addresses may carry a password. */
const mayHoldSecret = /(TOKENS?|SECRET|PASS|APIKEY|URL|DOMAIN)$/

function shown(name: string, value = ''): string {
  if (mayHoldSecret.test(name)) return `${value.length} characters that are not shown`
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
}

const requiredWith = (name: string) => `required as soon as ${name} is set`

/**
 * What is made up fits the embedded Redis and SQLite alone: a second process would make other secrets and could not read the first
 * one's tokens, and a sample receiver is no destination for real events.
 */
function missingForProduction(set: Record<string, string | undefined>): [string, string][] {
  const shared = ['REDIS_URL', 'DB_CONNECT'].find((name) => set[name])
  const delivers = set.ROLE !== 'gateway'
  const missing = (names: string[], cause: string) =>
    names.filter((name) => !set[name]).map((name): [string, string] => [name, requiredWith(cause)])
  return [
    ...(set.DB_CONNECT ? missing(['DB_USER', 'DB_PASS'], 'DB_CONNECT') : []),
    ...(set.DOMAIN ? missing(['APIKEY'], 'DOMAIN') : []),
    ...(shared ? missing(['ADMIN_TOKEN', 'ENCRYPTION_SECRET'], shared) : []),
    ...(shared && delivers ? missing(['DESTINATION_URL'], shared) : []),
  ]
}
