import { setTimeout as sleep } from 'node:timers/promises'
import { openDelivered } from '../harness/recorded.ts'

/** Bounds how many events are posted and not yet recorded. `file`: the SQLite file with the rows of delivered jobs. */
export type Bound = { file: string; most: number }

export type UnderWay = {
  /** True when one more may be posted, false when that takes until `endsAt`, on the clock of `performance.now()`. */
  enter(endsAt: number): Promise<boolean>
  /** One that was let in will never be recorded. */
  leave(): void
  close(): void
}

/** A fortieth of the time that a bound of two thousand takes at two thousand a second. */
const lookMs = 25

export function openUnderWay({ file, most }: Bound): UnderWay {
  const delivered = openDelivered(file)
  const before = delivered.count()
  let entered = 0
  let recorded = 0
  let looking: Promise<void> | undefined
  const look = async () => {
    await sleep(lookMs)
    recorded = delivered.count() - before
    looking = undefined
  }
  return {
    async enter(endsAt) {
      while (entered - recorded >= most) {
        if (performance.now() >= endsAt) return false
        looking ??= look()
        await looking
      }
      entered += 1
      return true
    },
    leave() {
      entered -= 1
    },
    close: () => delivered.close(),
  }
}
