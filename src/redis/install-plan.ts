import { oldestVersion } from './find-server.ts'

export type InstallFacts = {
  isRoot: boolean
  /** Somebody can be asked: input and output are a terminal. */
  hasTerminal: boolean
  hasSudo: boolean
  /** systemd runs this machine, so a packaged server starts as a service. */
  hasSystemd: boolean
  /** Package managers that are there. */
  managers: readonly Manager[]
}
export type Manager = 'apt-get' | 'dnf' | 'apk' | 'brew'

export type InstallPlan =
  | {
      do: 'install'
      manager: Manager
      /** Ask before. */
      ask: boolean
      /** May fail, such as refreshing the lists while offline. */
      before: Command[]
      /** The first that succeeds is enough. */
      alternatives: Alternative[]
    }
  | { do: 'explain'; line: string }
type Command = readonly string[]
/** `after` may fail. */
type Alternative = { install: Command; after: Command[] }

/** What a person types to get a server, by package manager. */
const byHand: Record<Manager, string> = {
  'apt-get': 'apt-get install -y redis-server',
  dnf: 'dnf install -y valkey',
  apk: 'apk add redis',
  brew: 'brew install redis',
}

/**
 * Decides how a missing Redis server gets onto this machine: at once when root, after a yes when somebody can be asked, else a
 * line that tells what to type. Homebrew refuses to run as root, so there it is the other way round.
 */
export function planInstall(facts: InstallFacts): InstallPlan {
  const manager = facts.managers[0]
  if (!manager) return explain('install redis-server or valkey-server')
  const typed = `${manager === 'brew' || facts.isRoot ? '' : 'sudo '}${byHand[manager]}`
  const asRootNow = facts.isRoot && manager !== 'brew'
  const canBecome = manager === 'brew' ? !facts.isRoot : facts.hasSudo
  if (!asRootNow && !(facts.hasTerminal && canBecome)) {
    return explain(
      manager === 'brew' && facts.isRoot ? `type "${typed}" as your own user` : `type "${typed}"`,
    )
  }
  const prefix = asRootNow || manager === 'brew' ? [] : ['sudo']
  const elevated = (command: Command) => [...prefix, ...command]
  return {
    do: 'install',
    manager,
    ask: !asRootNow,
    before: manager === 'apt-get' ? [elevated([...apt, 'update'])] : [],
    alternatives: alternatives(manager, facts.hasSystemd).map(({ install, after }) => ({
      install: elevated(install),
      after: after.map(elevated),
    })),
  }
}

const explain = (what: string): InstallPlan => ({
  do: 'explain',
  line: `Gancho needs redis-server or valkey-server ${oldestVersion} or newer: ${what}, or set REDIS_URL; then start it again.`,
})

const apt = [
  'env',
  'DEBIAN_FRONTEND=noninteractive',
  'RUNLEVEL=1',
  'apt-get',
  '-q',
  '-o',
  'DPkg::Lock::Timeout=120',
]

function alternatives(manager: Manager, hasSystemd: boolean): Alternative[] {
  const plain = (...command: string[]): Alternative => ({ install: command, after: [] })
  switch (manager) {
    case 'apt-get':
      return ['redis-server', 'valkey-server'].map((name) => ({
        install: [...apt, 'install', '-y', '--no-install-recommends', name],
        // Debian starts a packaged server as a service on port 6379, which nobody asked for.
        after: [hasSystemd ? ['systemctl', 'disable', '--now', name] : [`/etc/init.d/${name}`, 'stop']],
      }))
    case 'dnf':
      return [plain('dnf', 'install', '-y', 'valkey'), plain('dnf', 'install', '-y', 'redis')]
    case 'apk':
      return [plain('apk', 'add', '--no-cache', 'redis'), plain('apk', 'add', '--no-cache', 'valkey')]
    case 'brew':
      return [plain('brew', 'install', 'redis'), plain('brew', 'install', 'valkey')]
  }
}
