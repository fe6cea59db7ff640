import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { EmbeddedRedisError } from './embedded-redis-error.ts'
import { readPrivateFile } from './private-file.ts'
import type { ServerFiles } from './server-files.ts'

const run = promisify(execFile)

/**
 * Ends the server that an earlier owner of this directory may have left, and waits until it is gone: two servers must never append
 * to one file. Usually it is stopping already. Call it as the owner of the data directory.
 * @throws EmbeddedRedisError `not-started` when it does not end within `timeoutMs`.
 */
export async function endLeftoverServer(files: ServerFiles, timeoutMs: number): Promise<void> {
  const pid = Number(readPrivateFile(files.pid)?.trim())
  if (!Number.isInteger(pid) || pid < 2) return
  const giveUpAt = performance.now() + timeoutMs
  for (let told = false; await isServerOf(pid, files); told = true) {
    if (!told) signal(pid, 'SIGTERM')
    if (performance.now() > giveUpAt) {
      const message = `The Redis server of an earlier run (process ${pid}) does not end. See ${files.log}.`
      throw new EmbeddedRedisError('not-started', message)
    }
    await sleep(25)
  }
}

/** A number is not enough: after a reboot it may be anybody's. */
async function isServerOf(pid: number, files: ServerFiles): Promise<boolean> {
  return signal(pid, 0) && (await commandLine(pid)).includes(files.config)
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

/** Empty for a process that has ended. Small Linux images have no ps, other systems no /proc. */
async function commandLine(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux')
      return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')
    return (await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)])).stdout
  } catch {
    return ''
  }
}
