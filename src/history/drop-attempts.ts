import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript, type ScriptArgument } from '../redis/scripts.ts'
import type { JobSnapshot } from './history-store.ts'

/** Removes from Redis the attempts in these snapshots, which history has written. */
export type DropAttempts = (written: readonly JobSnapshot[]) => Promise<void>

export function dropAttempts(redis: Redis): DropAttempts {
  const script = loadScript(redis, 'drop-attempts')
  return async (written) => {
    const args: ScriptArgument[] = [keys.jobPrefix]
    for (const { job, attempts } of written) {
      const newest = attempts.at(-1)
      if (newest) args.push(job.n, newest.number)
    }
    if (args.length > 1) await script([keys.journal], args)
  }
}
