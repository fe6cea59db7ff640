import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript, type Script, type ScriptArgument } from '../redis/scripts.ts'
import { gather } from './gather.ts'
import type { LaneEntry } from './lanes.ts'

/** `on`: a job's number, or a destination's id. */
export type Change = { name: string; on: number | string; args: readonly ScriptArgument[] }
export type Answer = [kind: string, ...unknown[]]

export type ChangeOptions = {
  /** How long after a change the sweeper looks whether the job is where its record says. */
  graceMs: number
  /** Schedules what was released. What it fails to do is the sweeper's. */
  schedule: (entries: readonly LaneEntry[]) => Promise<void>
}

/** Starts, or finishes, of one call: Redis serves nobody else while it runs. */
const mostTogether = 25

/**
 * Makes changes, and schedules what they release before it resolves. The frequent ones have scripts of their own, because Redis makes all
 * functions of a script anew in each call.
 */
export function changeScripts(redis: Redis, { graceMs, schedule }: ChangeOptions) {
  const others = loadScript(redis, 'transition')
  const scripts: Record<string, Script> = {
    enqueue: loadScript(redis, 'enqueue'),
    start: loadScript(redis, 'start', { buffers: true }),
    finish: loadScript(redis, 'finish'),
  }
  const run = async (changes: readonly Change[]): Promise<Answer[]> => {
    const [first] = changes
    if (!first) return []
    const args: ScriptArgument[] = [keys.jobPrefix, keys.prefix, graceMs, changes.length]
    for (const { name, on, args: own } of changes) args.push(name, on, own.length, ...own)
    const script = scripts[first.name] ?? others
    return (await script([keys.journal, keys.due], args)) as Answer[]
  }
  /** What is released goes by its queue, so that no change waits for a queue that is not its own. */
  const finishAll = async (changes: readonly Change[]) => {
    const answers: (Answer | Error)[] = await run(changes)
    const released = answers.map(releasedEntries)
    const byQueue = Map.groupBy(released.flat(), ({ queue }) => queue)
    const scheduled = new Map([...byQueue].map(([queue, entries]) => [queue, schedule(entries)]))
    return answers.map((answer, i) => {
      const own = released[i] ?? []
      if (answer instanceof Error || own.length === 0) return answer
      return Promise.all(own.map(({ queue }) => scheduled.get(queue))).then(() => answer)
    })
  }
  return {
    /** In one atomic call, of which the first change tells the script. */
    async make(changes: readonly Change[]): Promise<Answer[]> {
      const answers = await run(changes)
      const entries = answers.flatMap(releasedEntries)
      if (entries.length > 0) await schedule(entries)
      return answers
    },
    /** Those of one turn of the event loop go together, each as if it were alone. */
    start: gather<Change, Answer>(mostTogether, run),
    finish: gather<Change, Answer>(mostTogether, finishAll),
  }
}

/** What the scripts answer last as number, round, queue, destination, …; nothing for answers that end otherwise. */
function releasedEntries(answer: Answer | Error): LaneEntry[] {
  const flat = answer instanceof Error ? undefined : answer.at(-1)
  const entries: LaneEntry[] = []
  if (!Array.isArray(flat)) return entries
  for (let i = 0; i + 3 < flat.length; i += 4) {
    const [n, round, queue, destination] = flat.slice(i, i + 4) as [number, number, string, string]
    entries.push({ n, round, queue, destination })
  }
  return entries
}
