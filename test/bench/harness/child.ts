import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export type Child = { origin: string; close(): Promise<void> }

/** Starts one of `test/bench/baselines/` as a process of its own; resolves when it has told the port that it listens on. */
export async function startBaseline(file: string, args: readonly string[] = []): Promise<Child> {
  const child = fork(fileURLToPath(new URL(`../baselines/${file}`, import.meta.url)), args, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const exited = once(child, 'exit')
  const ended = exited.then(([code]) => Promise.reject(new Error(`${file} ended with ${code}`)))
  const [port] = (await Promise.race([once(child, 'message'), ended])) as [number]
  ended.catch(() => undefined)
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      child.disconnect()
      await exited
    },
  }
}
