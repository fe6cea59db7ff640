import { describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../../src/config.ts'

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('an environment that says nothing', () => {
  test('gives the defaults of a developer', () => {
    const config = readConfig({ PATH: '/bin', PORT: '', ROLE: undefined })
    expect(config).toMatchObject({ HOST: '127.0.0.1', PORT: 4_000, ROLE: 'all', DATA_DIR: '.gancho' })
    expect(config).toMatchObject({ MAX_BACKLOG: 1_000_000, MAX_BODY_BYTES: 1_048_576, RETENTION_DAYS: 14 })
    expect(config.REDIS_URL).toBeUndefined()
    expect(config).not.toHaveProperty('PATH')
    expect(Object.isFrozen(config)).toBe(true)
  })

  test('retries at least 8 times, over a day on average, and gives up at 410', () => {
    const { RETRY_SCHEDULE_SECONDS: bounds, FINAL_STATUS_CODES } = readConfig({})
    expect(bounds.length + 1).toBeGreaterThanOrEqual(8)
    expect(bounds.reduce((sum, bound) => sum + bound / 2, 0)).toBeGreaterThanOrEqual(86_400)
    expect(FINAL_STATUS_CODES).toEqual([410])
  })
})

test('lists are read with blanks between their parts', () => {
  const config = readConfig({ RETRY_SCHEDULE_SECONDS: '1, 20,300', FINAL_STATUS_CODES: '400 ,410' })
  expect(config.RETRY_SCHEDULE_SECONDS).toEqual([1, 20, 300])
  expect(config.FINAL_STATUS_CODES).toEqual([400, 410])
})

test('ranges and signing secrets are read, several of each', () => {
  const [first, second] = [`whsec_${'a'.repeat(32)}`, `whsec_${'b'.repeat(43)}=`]
  const config = readConfig({
    ALLOWED_CIDRS: '10.0.0.0/8, ::1',
    DESTINATION_SECRET: `${first}, ${second}`,
  })
  expect(config.ALLOWED_CIDRS?.map(([address, bits]) => `${address}/${bits}`)).toEqual([
    '10.0.0.0/8',
    '::1/128',
  ])
  expect(config.DESTINATION_SECRET).toEqual([first, second])
  expect(readConfig({}).ALLOWED_CIDRS).toBeUndefined()
  expect(readConfig({}).DESTINATION_SECRET).toEqual([])
})

describe('a wrong variable', () => {
  test.each([
    ['PORT', 'abc', 'expected a whole number from 0 to 65,535, got "abc"'],
    ['PORT', '65536', 'expected a whole number from 0 to 65,535, got "65536"'],
    ['ROLE', 'master', 'expected all, gateway or worker, got "master"'],
    ['MAX_BACKLOG', '0', 'expected a whole number from 1 to 1,000,000,000, got "0"'],
    ['MAX_BACKLOG', '1.5', 'expected a whole number from 1 to 1,000,000,000, got "1.5"'],
    [
      'SHUTDOWN_TIMEOUT_MS',
      '9999999999',
      'expected a whole number from 0 to 2,000,000,000, got "9999999999"',
    ],
    [
      'DESTINATION_SECRET',
      'whsec_short',
      'expected whsec_ and 24 to 64 bytes in base64, several separated by commas, got 11 characters that are not shown',
    ],
    [
      'ALLOWED_CIDRS',
      '10.0.0.0/33',
      '"10.0.0.0/33" is neither an address nor a range such as 10.0.0.0/8, got "10.0.0.0/33"',
    ],
    ['RETRY_SCHEDULE_SECONDS', '10,,20', 'expected whole seconds, separated by commas, got "10,,20"'],
    [
      'FINAL_STATUS_CODES',
      '410,200',
      'expected status codes from 300 to 599, separated by commas, got "410,200"',
    ],
    [
      'MAINTENANCE_CRON',
      'daily',
      'expected a cron expression of five fields, such as 0 3 * * *, got "daily"',
    ],
    ['GRAPHIQL', 'perhaps', 'expected true or false, got "perhaps"'],
    [
      'ADMIN_ACCESS_WINDOW',
      'always',
      'An access window reads like Mon-Fri 08:00-18:00 America/Sao_Paulo; in this one "always" is neither a weekday nor a time zone, got "always"',
    ],
    [
      'TRUSTED_PROXIES',
      '10.0.0.0/8,lb',
      '"lb" is neither an address nor a range such as 10.0.0.0/8, got "10.0.0.0/8,lb"',
    ],
    ['LOG_LEVEL', 'loud', 'expected one of fatal, error, warn, info, debug, trace, silent, got "loud"'],
    [
      'LOG_LEVEL',
      'x'.repeat(200),
      `expected one of fatal, error, warn, info, debug, trace, silent, got "${'x'.repeat(80)}…"`,
    ],
  ])('is told with what was expected and what was given: %s=%s', (name, value, problem) => {
    expect(problemsOf({ [name]: value })).toEqual([`${name}: ${problem}`])
  })

  test.each([
    ['ADMIN_TOKEN', 'secret'],
    ['ADMIN_TOKEN', 'secret with blanks in it'],
    ['ADMIN_TOKENS', 'ops:write:secret-of-16-letters'],
    ['ENCRYPTION_SECRET', 'secret'],
    ['REDIS_URL', 'http://user:secret@host'],
    ['DESTINATION_URL', 'ftp://user:secret@host'],
  ])('that may hold a secret is not shown: %s=%s', (name, value) => {
    const [problem] = problemsOf({ [name]: value }).filter((one) => one.startsWith(`${name}: `))
    expect(problem).toMatch(/: expected .*, got \d+ characters that are not shown$/)
    expect(problem).not.toContain('secret')
  })

  test('does not hide the others', () => {
    const env = { REDIS_URL: 'redis://localhost', PORT: 'x', WORKER_CONCURRENCY: '-1' }
    expect(problemsOf(env).map((problem) => problem.split(':', 1)[0])).toEqual([
      'ADMIN_TOKEN',
      'ENCRYPTION_SECRET',
      'DESTINATION_URL',
      'PORT',
      'WORKER_CONCURRENCY',
    ])
  })
})

test('the first administrator has no second name', () => {
  const env = { ADMIN_TOKEN: 'a'.repeat(16), ADMIN_TOKENS: `board:read:${'a'.repeat(16)}` }
  expect(problemsOf(env)).toEqual([
    'ADMIN_TOKENS: has the token of ADMIN_TOKEN, which is a full one named admin',
  ])
})

describe('a Redis of its own', () => {
  const secrets = { ADMIN_TOKEN: 'a'.repeat(16), ENCRYPTION_SECRET: 's'.repeat(16) }

  test('needs secrets that are shared, and a destination where events are delivered', () => {
    const required = 'required as soon as REDIS_URL is set'
    expect(problemsOf({ REDIS_URL: 'rediss://host:6380', ...secrets })).toEqual([
      `DESTINATION_URL: ${required}`,
    ])
    expect(problemsOf({ REDIS_URL: 'rediss://host:6380', ROLE: 'gateway' })).toEqual([
      `ADMIN_TOKEN: ${required}`,
      `ENCRYPTION_SECRET: ${required}`,
    ])
    expect(problemsOf({ REDIS_URL: 'redis://host', ROLE: 'gateway', ...secrets })).toEqual([])
  })
})

describe('an OracleDB', () => {
  const secrets = { ADMIN_TOKEN: 'a'.repeat(16), ENCRYPTION_SECRET: 's'.repeat(16) }

  test('needs an account, and all that the embedded defaults would have made up', () => {
    const required = 'required as soon as DB_CONNECT is set'
    expect(problemsOf({ DB_CONNECT: 'db.internal:1521/gancho' })).toEqual(
      ['DB_USER', 'DB_PASS', 'ADMIN_TOKEN', 'ENCRYPTION_SECRET', 'DESTINATION_URL'].map(
        (name) => `${name}: ${required}`,
      ),
    )
    const account = { DB_CONNECT: 'db.internal:1521/gancho', DB_USER: 'gancho', DB_PASS: 'tiger' }
    expect(problemsOf({ ...account, ...secrets, ROLE: 'gateway' })).toEqual([])
    expect(problemsOf({ ...account, ...secrets })).toEqual([`DESTINATION_URL: ${required}`])
  })

  test('is not asked for by an account alone', () => {
    expect(problemsOf({ DB_USER: 'gancho', DB_PASS: 'tiger' })).toEqual([])
  })
})
