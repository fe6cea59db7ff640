import type { Redis } from 'ioredis'
import type { Lanes } from '../events/lanes.ts'
import { keys } from '../redis/keys.ts'

/** Since when, in epoch milliseconds, and by whom a queue is paused. */
export type QueuePause = { at: number; by: string }

export type QueuePauses = {
  /**
   * Has no worker take anything from the queue; what is under way is finished. Pausing again changes nothing.
   * @throws GanchoError QUEUE_NOT_FOUND
   */
  pause(queue: string, pause: QueuePause): Promise<void>
  /** Has workers go on. @throws GanchoError QUEUE_NOT_FOUND */
  resume(queue: string): Promise<void>
  /** By queue; those that are not paused are left out. */
  paused(): Promise<Map<string, QueuePause>>
  /** Has BullMQ hold exactly the queues that are paused, whatever it made of what it was told before. */
  apply(): Promise<void>
}

/** A pause is Gancho's own note, which lasts; BullMQ carries it out in every process, and is told again when it differs. */
export function createQueuePauses({ redis, lanes }: { redis: Redis; lanes: Lanes }): QueuePauses {
  return {
    async pause(name, pause) {
      const { queue } = lanes.get(name)
      await redis.hsetnx(keys.paused, name, JSON.stringify(pause))
      await queue.pause()
    },
    async resume(name) {
      const { queue } = lanes.get(name)
      await redis.hdel(keys.paused, name)
      await queue.resume()
    },
    async paused() {
      const notes = Object.entries(await redis.hgetall(keys.paused))
      return new Map(notes.map(([name, note]) => [name, JSON.parse(note) as QueuePause]))
    },
    async apply() {
      for (const { name, queue } of lanes.all()) {
        const held = await queue.isPaused()
        // Asked for last: a change in between is hardly ever undone, and then for no longer than until the next turn.
        const isPaused = (await redis.hexists(keys.paused, name)) === 1
        if (isPaused && !held) await queue.pause()
        if (!isPaused && held) await queue.resume()
      }
    },
  }
}
