import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { until } from './client.ts'
import { noEnvFile } from './processes.ts'

const program = fileURLToPath(new URL('../../script/gancho.mjs', import.meta.url))

export type Ran = { code: number | null; stdout: string; stderr: string }
type Options = { env?: Record<string, string>; stdin?: string | Buffer; cwd?: string; interruptAt?: RegExp }

export type Running = {
  /** What it printed to stdout so far. */
  shown(): string
  /** Ctrl-C. */
  interrupt(): void
  ended: Promise<Ran>
}

/** Starts `gancho` with these arguments as a user does, with no variables but these. */
export function startCommand(args: readonly string[], { env = {}, stdin = '', cwd }: Options = {}): Running {
  const child = spawn(process.execPath, [program, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env.PATH ?? '', ...noEnvFile, ...env },
    stdio: 'pipe',
  })
  let seen = ''
  child.stdout.on('data', (chunk) => {
    seen += chunk
  })
  // A command that reads no input may be over before it is written.
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin)
  const closed = once(child, 'close')
  const ended = Promise.all([text(child.stdout), text(child.stderr), closed]).then(
    ([stdout, stderr, [code]]) => ({ code: code as number | null, stdout, stderr }),
  )
  return { shown: () => seen, interrupt: () => void child.kill('SIGINT'), ended }
}

/** Runs it until it ends. Once its output matches `interruptAt`, Ctrl-C is sent. */
export async function gancho(args: readonly string[], options: Options = {}): Promise<Ran> {
  const { shown, interrupt, ended } = startCommand(args, options)
  const { interruptAt } = options
  if (interruptAt) void until(() => interruptAt.test(shown()), { what: `${interruptAt}` }).finally(interrupt)
  return ended
}

/** The result that a command printed for programs. @throws Error when it failed */
export async function ganchoJson<Result>(args: readonly string[], options: Options = {}): Promise<Result> {
  const { code, stdout, stderr } = await gancho([...args, '--json'], options)
  if (code !== 0) throw new Error(`gancho ${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as Result
}
