import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { EmbeddedRedisError } from './embedded-redis-error.ts'
import { type FoundServer, findServer, oldestVersion } from './find-server.ts'
import { type InstallFacts, type InstallPlan, type Manager, planInstall } from './install-plan.ts'

type Log = { info(message: string): void }
type Deps = {
  log: Log
  find?: () => Promise<FoundServer>
  facts?: InstallFacts
  /** Asks a question that is answered by yes or no. */
  ask?: (question: string) => Promise<boolean>
}

const folders = [
  '/usr/bin',
  '/bin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/home/linuxbrew/.linuxbrew/bin',
]
const managers: readonly Manager[] = ['apt-get', 'dnf', 'apk', 'brew']
const isInstalled = (name: string) => folders.some((folder) => existsSync(`${folder}/${name}`))

/**
 * The Redis or Valkey server to run, installed by the system's package manager first when there is none.
 * @throws EmbeddedRedisError `no-server`, whose message is one line that tells what to type.
 */
export async function requireServer({
  log,
  find = findServer,
  facts,
  ask = askAtTerminal,
}: Deps): Promise<string> {
  const present = await find()
  if (present.kind === 'found') return present.binary
  // An old server belongs to somebody: upgrading it, and the service that may use it, is not for Gancho to do.
  if (present.kind === 'too-old') throw noServer(`${tooOld(present)} Upgrade it, or set REDIS_URL.`)
  const plan = planInstall(facts ?? readFacts())
  if (plan.do === 'explain') throw noServer(`No Redis server found on this machine. ${plan.line}`)
  const question = `No Redis server found on this machine. Install one now with ${plan.manager}?`
  if (plan.ask && !(await ask(question)))
    throw noServer(`Gancho needs a Redis server: install one, or set REDIS_URL.`)
  log.info(`No Redis server found on this machine: installing one with ${plan.manager}.`)
  await install(plan)
  const installed = await find()
  if (installed.kind === 'found') return installed.binary
  const got =
    installed.kind === 'too-old' ? tooOld(installed) : `${plan.manager} could not install a Redis server.`
  throw noServer(`${got} Install redis-server or valkey-server ${oldestVersion} or newer, or set REDIS_URL.`)
}

const noServer = (message: string) => new EmbeddedRedisError('no-server', message)
const tooOld = ({ binary, version }: FoundServer & { kind: 'too-old' }) =>
  `${binary} is version ${version}; Gancho needs ${oldestVersion} or newer.`

async function install(plan: InstallPlan & { do: 'install' }): Promise<void> {
  for (const command of plan.before) await succeeds(command)
  for (const { install, after } of plan.alternatives) {
    if (!(await succeeds(install))) continue
    for (const command of after) await succeeds(command)
    return
  }
}

function succeeds([command = '', ...args]: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'inherit' })
    child.on('error', () => resolve(false))
    child.on('exit', (code) => resolve(code === 0))
  })
}

function readFacts(): InstallFacts {
  return {
    isRoot: process.getuid?.() === 0,
    hasTerminal: process.stdin.isTTY === true && process.stdout.isTTY === true,
    hasSudo: isInstalled('sudo'),
    hasSystemd: existsSync('/run/systemd/system'),
    managers: managers.filter(isInstalled),
  }
}

async function askAtTerminal(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^(y|yes|s|sim)$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}
