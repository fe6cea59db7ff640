import type { FinishAs } from '../../src/events/transitions.ts'
import type { Core } from './core.ts'

/** New jobs at the stage that a test begins with, and the changes it makes, with what most of them have in common. */
export function jobStages(core: () => Core) {
  const queued = async () => {
    const n = await core().accept()
    await core().transitions.enqueue([n])
    return n
  }
  const start = (n: number, round = 0, owner = 'me', leaseMs = 30_000) =>
    core().transitions.start(n, round, owner, leaseMs)
  const started = async (leaseMs?: number) => {
    const n = await queued()
    await start(n, 0, 'me', leaseMs)
    return n
  }
  const finish = (n: number, attempt: number, as: FinishAs) => core().transitions.finish(n, attempt, as)
  return {
    ...{ queued, start, started, finish },
    async finished(as: FinishAs) {
      const n = await started()
      await finish(n, 1, as)
      return n
    },
    requeue: (n: number, changes: { round?: number; report?: string; maxRounds?: number } = {}) =>
      core().transitions.requeue({ n, maxRounds: 5, ...changes }),
  }
}
