import { describe } from 'vitest'
import { expectEveryReplyToArrive } from '../support/reply-ledger-checks.ts'

// Nobody waits for the deadline, so it leaves a busy machine time.
const plan = { calls: 150, latePercent: 0, seed: 1, timeoutMs: 60_000 } as const

describe('150 calls that wait at a time, replied to at either gateway', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'none', latePercent: 5 }, 180_000))

describe('150 calls, and a gateway that is killed over them', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'killed' }, 180_000))

describe('150 calls, and a gateway that is told to stop over them', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'stopped' }, 180_000))
