import { describe } from 'vitest'
import { expectEveryReplyToArrive } from '../support/reply-ledger-checks.ts'

const calls = Number(process.env.SOAK_CALLS ?? 2_000)
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000)
const plan = { calls, latePercent: 5, seed, timeoutMs: 30_000 }

describe.each(['none', 'killed', 'stopped'] as const)(
  `${calls} calls that wait at a time (seed ${seed}), loss of a gateway: %s`,
  (loss) => expectEveryReplyToArrive({ ...plan, loss }, 300_000),
)
