import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript, type Script, type ScriptArgument } from '../redis/scripts.ts'

/** `on`: a job's number, or a destination's id. */
export type Change = { name: string; on: number | string; args: readonly ScriptArgument[] }
export type Answer = [kind: string, ...unknown[]]

/**
 * Makes changes in one atomic call; the first one tells which script makes all of them. The frequent ones have scripts of their own,
 * because Redis makes all functions of a script anew in each call.
 */
export function changeScripts(redis: Redis, graceMs: number) {
  const others = loadScript(redis, 'transition')
  const scripts: Record<string, Script> = {
    enqueue: loadScript(redis, 'enqueue'),
    start: loadScript(redis, 'start', { buffers: true }),
    finish: loadScript(redis, 'finish'),
  }
  return async (changes: readonly Change[]): Promise<Answer[]> => {
    const [first] = changes
    if (!first) return []
    const args: ScriptArgument[] = [keys.jobPrefix, keys.prefix, graceMs, changes.length]
    for (const { name, on, args: own } of changes) args.push(name, on, own.length, ...own)
    const script = scripts[first.name] ?? others
    return (await script([keys.journal, keys.due], args)) as Answer[]
  }
}
