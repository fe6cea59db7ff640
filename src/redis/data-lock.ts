import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const sqliteBusy = 5

/**
 * Takes the data directory for this process, or returns undefined when another process has it.
 * The lock is SQLite's, so the operating system's (fcntl): it ends with the process however that ends, and is never stale.
 */
export function lockDataDir(dataDir: string): { release(): void } | undefined {
  const path = join(dataDir, 'owner.lock')
  createOnce(path)
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if ((error as { errcode?: number }).errcode === sqliteBusy) return undefined
    throw error
  }
  return { release: () => db.close() }
}

/** An existing file must not be opened here: closing it again would end a lock that this process has on it (fcntl(2)). */
function createOnce(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
