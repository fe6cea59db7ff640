import { readFileSync, statSync } from 'node:fs'
import { parseEnv } from 'node:util'

export type EnvFile = {
  values: Record<string, string>
  /** Sentences for whoever starts Gancho. */
  warnings: string[]
}

/** Thrown by `readEnvFile`: the file cannot be read, or lines of it not be understood; a line for each, with its number. */
export class EnvFileError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'EnvFileError'
    this.problems = problems
  }
}

type Options = {
  /** What the environment says of `GANCHO_ENV_FILE`: a file that has to be there. */
  named: string | undefined
  /** Names that a file may set; others are warned of. */
  known: readonly string[]
}

const secret = /(TOKENS?|SECRET|PASS|APIKEY|OTLP_HEADERS)$/
const passwordInUrl = /:\/\/[^/@]*:[^/@]+@/
const holdsSecret = (name: string, value: string) => secret.test(name) || passwordInUrl.test(value)
const readableByOthers = 0o004

/**
 * The variables of the file named, else of `.env` in the current folder where there is one.
 * @throws EnvFileError
 */
export function readEnvFile({ named, known }: Options): EnvFile {
  const path = named || '.env'
  const text = textOf(path, Boolean(named))
  if (text === undefined) return { values: {}, warnings: [] }
  const lines = text.split(/\r?\n/)
  const problems = lines.flatMap((line, at) => {
    const problem = problemOf(line)
    return problem ? [`${path}, line ${at + 1}: ${problem}`] : []
  })
  problems.push(...repeated(path, lines))
  if (problems.length > 0) throw new EnvFileError(problems)
  const values = Object.fromEntries(
    Object.entries(parseEnv(text)).map(([name, value]) => [name, value ?? '']),
  )
  return { values, warnings: [...unknown(path, lines, known), ...openToOthers(path, values)] }
}

/** What the environment sets counts, an empty value included, which takes back what the file says. */
export const withEnvironment = (
  { values }: EnvFile,
  environment: Record<string, string | undefined>,
): Record<string, string | undefined> => ({ ...values, ...environment })

function textOf(path: string, required: boolean): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && !required) return undefined
    throw new EnvFileError([`${path}: cannot be read (${message})`])
  }
}

const assignment = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/
const nameOf = (line: string) => assignment.exec(line)?.[1]

/** Stricter than Node, which leaves out what it does not understand: a secret that lost its end would go unnoticed. Never shows the line. */
function problemOf(line: string): string | undefined {
  if (/^\s*(#|$)/.test(line)) return undefined
  const value = assignment.exec(line)?.[2]
  if (value === undefined) return 'expected NAME=value, a comment after # or nothing'
  const quote = /^["'`]/.exec(value)?.[0]
  if (!quote) {
    return /^[^#]*[^#\s]#/.test(value)
      ? 'a value with # in it needs quotes; without, the rest would be a comment'
      : undefined
  }
  const end = value.indexOf(quote, 1)
  if (end < 0) return `the value begins with ${quote} and does not end with it on the same line`
  return /^\s*(#.*)?$/.test(value.slice(end + 1))
    ? undefined
    : `nothing but a comment may follow the closing ${quote}`
}

function repeated(path: string, lines: readonly string[]): string[] {
  const first = new Map<string, number>()
  return lines.flatMap((line, at) => {
    const name = nameOf(line)
    if (name === undefined) return []
    const before = first.get(name)
    if (before !== undefined) return [`${path}, line ${at + 1}: ${name} is set in line ${before + 1} already`]
    first.set(name, at)
    return []
  })
}

/** Read by the command line, see docs/command-line.md. */
const ofTheCommandLine = ['GANCHO_URL', 'GANCHO_TOKEN']

const unknown = (path: string, lines: readonly string[], known: readonly string[]) =>
  lines.flatMap((line, at) => {
    const name = nameOf(line)
    return name === undefined || [...known, ...ofTheCommandLine].includes(name) || name.startsWith('OTEL_')
      ? []
      : [`${path}, line ${at + 1}: Gancho has no variable ${name}`]
  })

function openToOthers(path: string, values: Record<string, string>): string[] {
  const secrets = Object.keys(values).filter((name) => values[name] && holdsSecret(name, values[name]))
  if (process.platform === 'win32' || secrets.length === 0) return []
  if ((statSync(path).mode & readableByOthers) === 0) return []
  return [`${path} holds ${secrets.join(', ')} and everybody on this machine may read it: chmod 600 ${path}`]
}

/**
 * All that a process is told: by its environment, and by the file of `readEnvFile` for what that does not set. `known` as there.
 * @throws EnvFileError
 */
export function readEnvironment(env: Record<string, string | undefined>, known: readonly string[]) {
  const file = readEnvFile({ named: env.GANCHO_ENV_FILE, known })
  return { env: withEnvironment(file, env), warnings: file.warnings }
}
