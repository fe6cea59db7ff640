import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { readPrivateFile, writePrivateFile } from './private-file.ts'

/** Where the embedded server of one data directory keeps its things. Absolute paths. */
export type ServerFiles = { dir: string; config: string; log: string; pid: string; access: string }

/** How to reach the server; kept, so that processes which know the address find it there again after a restart. */
export type ServerAccess = { port: number | undefined; password: string }

const accessSchema = z.object({ port: z.number().int().optional(), password: z.string().min(32) })

/**
 * How changes are kept. Redis writes its file anew when that is four times as long as it was then, not twice: under load the journal
 * alone doubles it every few seconds, and each time all that Redis holds is written. What is longer takes longer to load.
 */
export const persistence = [
  'appendonly yes',
  'appendfsync everysec',
  'save ""',
  'auto-aof-rewrite-percentage 300',
] as const

/** Makes the directories, readable by their owner only, where they are missing. */
export function serverFiles(dataDir: string): ServerFiles {
  const dir = resolve(dataDir, 'redis')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  chmodSync(dir, 0o700)
  return {
    dir,
    config: join(dir, 'redis.conf'),
    log: join(dir, 'redis.log'),
    pid: join(dir, 'redis.pid'),
    access: join(dir, 'access.json'),
  }
}

/** The access of the last run, else a new password. Neither is tied to the data, so an unreadable file costs nothing. */
export function recallAccess(files: ServerFiles): ServerAccess {
  try {
    const { port, password } = accessSchema.parse(JSON.parse(readPrivateFile(files.access) ?? ''))
    return { port, password }
  } catch {
    return { port: undefined, password: randomBytes(32).toString('base64url') }
  }
}

/** Writes the server's configuration, and the access for the next run. The password stands in files only: everyone sees command lines. */
export function writeServerConfig(files: ServerFiles, access: ServerAccess & { port: number }): void {
  const lines = [
    'bind 127.0.0.1',
    `port ${access.port}`,
    `requirepass ${access.password}`,
    `dir ${JSON.stringify(files.dir)}`,
    `logfile ${JSON.stringify(files.log)}`,
    `pidfile ${JSON.stringify(files.pid)}`,
    'daemonize no',
    ...persistence,
    // Where intake begins to refuse, long before the machine would.
    `maxmemory ${Math.floor(totalmem() / 2)}`,
    'maxmemory-policy noeviction',
    // The command line keeps naming the configuration file, by which a later start recognises a left-over server.
    'set-proc-title no',
  ]
  writePrivateFile(files.config, `${lines.join('\n')}\n`)
  writePrivateFile(files.access, JSON.stringify(access))
}
