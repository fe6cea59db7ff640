import { describe } from 'vitest'
import { expectLedgerToBalance } from '../support/ledger-checks.ts'

const events = Number(process.env.SOAK_EVENTS ?? 50_000)
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000)
/** One kill in 1,500 events, and one Redis outage in 8,000. */
const plan = {
  events,
  senders: 32,
  kills: Math.ceil(events / 1_500),
  redisRestarts: Math.ceil(events / 8_000),
  seed,
  settleWithinMs: 600_000,
}

describe(`${events} events from 32 senders, while workers are killed and Redis goes away (seed ${seed})`, () =>
  expectLedgerToBalance(plan, 1_800_000))
