import { describe } from 'vitest'
import { expectLedgerToBalance } from '../support/ledger-checks.ts'

const plan = { events: 2_000, senders: 32, kills: 4, redisRestarts: 0, seed: 1, settleWithinMs: 120_000 }

describe('2,000 events from 32 senders, while workers are killed', () => expectLedgerToBalance(plan, 300_000))
