import type { Redis } from 'ioredis'

/** How often each command ran and for how long, those inside scripts included (INFO COMMANDSTATS). */
export type CommandStats = Map<string, { calls: number; us: number }>

export async function commandStats(redis: Redis): Promise<CommandStats> {
  const lines = (await redis.info('commandstats')).matchAll(/^cmdstat_(\S+?):calls=(\d+),usec=(\d+)/gm)
  return new Map(
    [...lines].map(([, name = '', calls, us]) => [name, { calls: Number(calls), us: Number(us) }]),
  )
}

/** Calls of each command in between, of those that were called at all. */
export function callsBetween(before: CommandStats, after: CommandStats): Map<string, number> {
  const calls = [...after].map(([name, { calls }]) => [name, calls - (before.get(name)?.calls ?? 0)] as const)
  return new Map(calls.filter(([, count]) => count > 0))
}

export const totalOf = (calls: ReadonlyMap<string, number>, wanted: (name: string) => boolean = () => true) =>
  [...calls].reduce((sum, [name, count]) => sum + (wanted(name) ? count : 0), 0)

/** Commands that run a script, or hold a place for one. */
export const runsScript = (name: string) => /^(eval|evalsha|fcall)/.test(name)
