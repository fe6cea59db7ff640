import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** First Redis with everything that Gancho and BullMQ use (XAUTOCLAIM, LMOVE). Every Valkey has it. */
export const oldestVersion = '6.2.0'

const names = ['redis-server', 'valkey-server']
/** Not on every PATH: /usr/sbin for plain users, Homebrew's folders for programs started by the desktop. */
const usualPlaces = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/opt/homebrew/bin',
  '/opt/local/bin',
  '/snap/bin',
]

export type FoundServer =
  | { kind: 'found'; binary: string; version: string }
  | { kind: 'too-old'; binary: string; version: string }
  | { kind: 'none' }

type Options = {
  /** Folders to search besides the PATH. */
  places?: readonly string[]
  /** Instead of this process' own PATH. */
  path?: string
}

/** Looks for a Redis or Valkey server on the PATH, then in the usual folders. An old one is named only when nothing better is there. */
export async function findServer({ places = usualPlaces, path }: Options = {}): Promise<FoundServer> {
  const candidates = names.flatMap((name) => [name, ...places.map((place) => `${place}/${name}`)])
  let tooOld: FoundServer | undefined
  for (const binary of candidates) {
    const version = await versionOf(binary, path)
    if (!version) continue
    if (isAtLeast(version, oldestVersion)) return { kind: 'found', binary, version }
    tooOld ??= { kind: 'too-old', binary, version }
  }
  return tooOld ?? { kind: 'none' }
}

async function versionOf(binary: string, path: string | undefined): Promise<string | undefined> {
  const env = path === undefined ? {} : { env: { PATH: path } }
  try {
    const { stdout } = await run(binary, ['--version'], { timeout: 10_000, ...env })
    return /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1]
  } catch {
    // Not there, or not able to run here (another architecture): either way it is of no use.
    return undefined
  }
}

function isAtLeast(version: string, oldest: string): boolean {
  return version.localeCompare(oldest, 'en', { numeric: true }) >= 0
}
