import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'

const program = fileURLToPath(new URL('./embedded-owner.ts', import.meta.url))

export type Owner = {
  child: ChildProcess
  /** What it said so far, see embedded-owner.ts. */
  said: Record<string, string>[]
  /** What it wrote to its error output. */
  errors(): string
  /** Resolves with the exit code. */
  ended: Promise<number | null>
  /** The url of its server, once it runs. */
  url(): Promise<string>
}

/** Starts a process that owns an embedded server, in a process group of its own as a terminal would. */
export function startOwner(dataDir: string): Owner {
  const child = spawn(process.execPath, [program, dataDir], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: Record<string, string>[] = []
  const errors: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)))
  child.stderr.on('data', (chunk) => errors.push(String(chunk)))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const url = () =>
    eventually(() => {
      const found = said.find((facts) => facts.url)?.url
      if (!found)
        throw new Error(`the owner says nothing of a server: ${JSON.stringify(said)} ${errors.join('')}`)
      return found
    })
  return { child, said, errors: () => errors.join(''), ended, url }
}

/** Process id of the server of a data directory. */
export const serverPid = (dataDir: string) =>
  Number(readFileSync(join(dataDir, 'redis', 'redis.pid'), 'utf8'))
