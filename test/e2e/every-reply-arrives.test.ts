import { describe } from 'vitest'
import { expectEveryReplyToArrive } from '../support/reply-ledger-checks.ts'

const plan = { calls: 150, latePercent: 5, seed: 1, timeoutMs: 3_000 } as const

describe('150 calls that wait at a time, replied to at either gateway', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'none' }, 60_000))

describe('150 calls, and a gateway that is killed over them', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'killed', latePercent: 0 }, 60_000))

describe('150 calls, and a gateway that is told to stop over them', () =>
  expectEveryReplyToArrive({ ...plan, loss: 'stopped', latePercent: 0 }, 60_000))
