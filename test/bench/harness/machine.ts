import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

/** What the figures were measured on. */
export type Machine = {
  cpu: string
  cores: number
  memoryGb: number
  system: string
  node: string
  redis: string
}

/** `redisInfo`: the answer of INFO SERVER of the Redis server under measurement. */
export function describeMachine(redisInfo: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    redis: /redis_version:(\S+)/.exec(redisInfo)?.[1] ?? 'unknown',
  }
}
