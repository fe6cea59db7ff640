import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export type Child = { origin: string; pid: number; close(): Promise<void> }

/** A process that does what the bench asks of it, see `serveBench`. */
export type Helper = {
  pid: number
  ask<Answer>(name: string, payload?: unknown): Promise<Answer>
  /** Rejects when the process ends by itself. */
  ended: Promise<never>
  close(): Promise<void>
}

type Answered = { id: number; answer?: unknown; error?: string }

/** Starts one of `test/bench/baselines/` as a process of its own; resolves when it has told the port that it listens on. */
export async function startBaseline(file: string, args: readonly string[] = []): Promise<Child> {
  const { child, first, close } = await start(new URL(`../baselines/${file}`, import.meta.url), args)
  return { origin: `http://127.0.0.1:${first}`, pid: child.pid ?? 0, close }
}

const thisCheckout = new URL('../../../', import.meta.url)

/** Starts one of `test/bench/load/`, of this checkout or another, as a process of its own; resolves when it can be asked. */
export async function startHelper(
  file: string,
  args: readonly string[] = [],
  checkout = thisCheckout,
): Promise<Helper> {
  const { child, ended, close } = await start(new URL(`test/bench/load/${file}`, checkout), args)
  const asked = new Map<number, PromiseWithResolvers<unknown>>()
  let last = 0
  child.on('message', ({ id, answer, error }: Answered) => {
    const waiting = asked.get(id)
    asked.delete(id)
    if (error === undefined) waiting?.resolve(answer)
    else waiting?.reject(new Error(`${file}: ${error}`))
  })
  child.once('exit', (code) => {
    for (const { reject } of asked.values()) reject(new Error(`${file} ended with ${code}`))
  })
  return {
    ask<Answer>(name: string, payload?: unknown) {
      last += 1
      const waiting = Promise.withResolvers<unknown>()
      asked.set(last, waiting)
      child.send({ id: last, name, payload })
      return waiting.promise as Promise<Answer>
    },
    pid: child.pid ?? 0,
    ended,
    close,
  }
}

async function start(file: URL, args: readonly string[]) {
  const child: ChildProcess = fork(fileURLToPath(file), args, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    serialization: 'advanced',
    // As Gancho does by itself.
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const exited = once(child, 'exit')
  const ended = exited.then(([code]) => Promise.reject(new Error(`${file.pathname} ended with ${code}`)))
  const [first] = (await Promise.race([once(child, 'message'), ended])) as [unknown]
  ended.catch(() => undefined)
  const close = async () => {
    if (child.connected) child.disconnect()
    await exited
  }
  return { child, first, ended, close }
}
