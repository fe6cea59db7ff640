import { join, resolve } from 'node:path'
import { writePrivateFile } from './private-file.ts'

const envFile = (dataDir: string) => join(dataDir, 'second-process.env')

/**
 * Keeps what a further process of this data directory needs in a file that only its owner may read, as `NAME='value'` lines for
 * a shell. `variables`: REDIS_URL, ADMIN_TOKEN, ENCRYPTION_SECRET and whatever else both processes have to agree on.
 */
export function writeSecondProcessEnv(dataDir: string, variables: Readonly<Record<string, string>>): void {
  const all = { ...variables, DATA_DIR: resolve(dataDir) }
  const lines = Object.entries(all).map(([name, value]) => `${name}=${quote(value)}`)
  writePrivateFile(envFile(dataDir), `${lines.join('\n')}\n`)
}

/** The line to paste that starts a worker beside the process that owns `dataDir`. Its parentheses keep the secrets out of the terminal's own environment. */
export function secondProcessCommand(dataDir: string): string {
  const file = resolve(envFile(dataDir))
  return `(set -a; . ${/^[\w./-]+$/.test(file) ? file : quote(file)}; ROLE=worker PORT=0 npm start)`
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
