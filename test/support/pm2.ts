import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning } from './processes.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { typeLine } from './terminal.ts'

export type Pm2 = {
  /** Runs a PM2 command as a person does, and resolves with what it printed. @throws Error when it fails */
  run(command: string): Promise<string>
  /** Process ids of the apps by name, in the order of their numbers. */
  pids(): Promise<Record<string, number[]>>
  /** What the apps have printed. */
  logs(): string
  /**
   * Ends PM2 and all that it runs, and removes its files. Resolves with those process ids that run for 10 s after `pm2 kill` has
   * returned; its daemon has it return a moment before it exits itself. May be called twice.
   */
  close(): Promise<number[]>
}

/** A PM2 with a home of its own, so that nobody else's is touched. Nothing of it outlives the test process. */
export async function openPm2(env: Record<string, string>): Promise<Pm2> {
  const home = await temporaryFolder()
  const own = { ...env, PM2_HOME: home.path, PM2_DISABLE_VERSION_CHECK: 'true' }
  const killAll = () => alive(home.path).map((pid) => process.kill(pid, 'SIGKILL') && pid)
  process.on('exit', killAll)
  let closed = false
  const run = async (command: string) => {
    const typed = typeLine(`npm run --silent pm2 -- ${command}`, own)
    if ((await typed.ended) !== 0) throw new Error(`pm2 ${command} failed:\n${typed.output()}`)
    return typed.output()
  }
  return {
    run,
    async pids() {
      const pids: Record<string, number[]> = {}
      const listed = /^\[.*\]$/m.exec(await run('jlist'))?.[0] ?? '[]'
      for (const { name, pid } of JSON.parse(listed) as { name: string; pid: number }[])
        pids[name] = [...(pids[name] ?? []), pid]
      return pids
    },
    logs: () => textsIn(join(home.path, 'logs')).join('\n'),
    async close() {
      if (closed) return []
      closed = true
      try {
        const before = alive(home.path)
        await run('kill')
        const late = Date.now() + 10_000
        while (before.some(isRunning) && Date.now() < late) await sleep(20)
        return before.filter(isRunning)
      } finally {
        killAll()
        process.off('exit', killAll)
        await home.remove()
      }
    },
  }
}

/** PM2 itself and its apps, as their files name them. */
const alive = (home: string) =>
  [...textsIn(home, /^pm2\.pid$/), ...textsIn(join(home, 'pids'))]
    .map(Number)
    .filter((pid) => pid > 1 && isRunning(pid))

function textsIn(folder: string, names = /./): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => names.test(name))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
  } catch {
    // PM2 makes its folders when it starts.
    return []
  }
}
