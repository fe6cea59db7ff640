import { describe } from 'vitest'
import { expectEveryReplyToArrive } from '../support/reply-ledger-checks.ts'

// Where nobody waits for it, the deadline leaves a busy machine time.
const plan = { calls: 150, latePercent: 0, seed: 1, timeoutMs: 20_000 } as const

describe('150 calls that wait at a time, replied to at either gateway', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'none', latePercent: 5, timeoutMs: 5_000 }, 60_000))

describe('150 calls, and a gateway that is killed over them', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'killed' }, 60_000))

describe('150 calls, and a gateway that is told to stop over them', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'stopped' }, 60_000))
