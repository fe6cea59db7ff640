import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { machineEnvironment } from '../../support/processes.ts'
import { jsonHeaders } from './events.ts'

/** `listening` finds the origin in what is printed; `token` answers one that may post events. */
export type Start = {
  command: readonly string[]
  env: Record<string, string>
  listening: RegExp
  token(origin: string): Promise<string>
}

const askMs = 5

/**
 * Starts a command, posts an event as soon as it listens until that is accepted, and ends it with all that it started. Milliseconds
 * from its start.
 * @throws Error when it ends before
 */
export async function untilFirstAccepted({ command, env, listening, token }: Start) {
  const since = performance.now()
  const child = startGroup(command, env)
  try {
    const origin = await printed(child, listening)
    const listeningMs = performance.now() - since
    await untilAccepted(origin, await token(origin))
    return { listeningMs, acceptedMs: performance.now() - since }
  } finally {
    await endGroup(child)
  }
}

/** Milliseconds until a command prints this. */
export async function untilPrinted(command: readonly string[], expected: RegExp): Promise<number> {
  const since = performance.now()
  const child = startGroup(command, {})
  await printed(child, expected)
  const tookMs = performance.now() - since
  await endGroup(child)
  return tookMs
}

/** Posts an event again and again until it is accepted. */
export async function untilAccepted(origin: string, token: string): Promise<void> {
  const headers = { ...jsonHeaders, authorization: `Bearer ${token}` }
  for (;;) {
    const answer = await fetch(`${origin}/webhook`, { method: 'POST', headers, body: '{"order":1}' })
    await answer.body?.cancel()
    if (answer.status === 202) return
    await sleep(askMs)
  }
}

/** In a group of its own, because npm starts others. */
const startGroup = ([file = '', ...args]: readonly string[], env: Record<string, string>): ChildProcess =>
  spawn(file, args, {
    env: { ...machineEnvironment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })

async function endGroup({ pid = 0 }: ChildProcess): Promise<void> {
  try {
    process.kill(-pid, 'SIGTERM')
    for (;;) {
      await sleep(askMs)
      process.kill(-pid, 0)
    }
  } catch (error) {
    // Nobody of it is left.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function printed(child: ChildProcess, expected: RegExp): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    const listen = (chunk: Buffer) => {
      text += chunk
      const found = expected.exec(text)
      if (found) resolve(found[1] ?? '')
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.once('exit', (code) => reject(new Error(`ended with ${code}:\n${text}`)))
  })
}
