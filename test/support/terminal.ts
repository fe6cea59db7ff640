import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { noEnvFile } from './processes.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export type TypedLine = {
  /** Everything it printed so far, errors included. */
  output(): string
  /** Sends the signal to the whole process group, as a terminal does; resolves as `ended`. */
  signal(name: NodeJS.Signals): Promise<number | null>
  /** Resolves with the exit code. */
  ended: Promise<number | null>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const { pid } of running) if (pid) signalGroup(pid, 'SIGKILL')
})

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name)
  } catch {
    // The whole group has ended.
  }
}

/** Runs a line as a person types it into a shell in the repository, in a process group of its own, with no variables but these. */
export function typeLine(line: string, env: Record<string, string> = {}): TypedLine {
  const child = spawn('/bin/sh', ['-c', line], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...noEnvFile, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk
    })
  }
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  return {
    output: () => text,
    signal(name) {
      if (child.pid) signalGroup(child.pid, name)
      return ended
    },
    ended,
  }
}
