import { beforeAll, expect, test } from 'vitest'
import { keepLedger, type Ledger, type LedgerPlan } from './ledger.ts'
import { fateOf } from './ledger-receiver.ts'

/** Declares the tests of one ledger. */
export function expectLedgerToBalance(plan: LedgerPlan, withinMs: number): void {
  let ledger: Ledger
  beforeAll(async () => {
    ledger = await keepLedger(plan)
    console.log({ ...plan, ...ledger.figures, takenAgain: ledger.takenAgain.size })
  }, withinMs)

  test('every event is accepted as one job', () => {
    expect(new Set(ledger.accepted).size).toBe(plan.events)
    expect(ledger.accepted.length).toBe(plan.events)
  })

  test('what was accepted is delivered or failed, none missing and none besides', () => {
    const ended = [...ledger.delivered, ...ledger.failed]
    expect(ended.toSorted()).toEqual(ledger.accepted.toSorted())
  })

  test('what history shows as delivered is what the receiver took', () => {
    expect([...ledger.delivered].filter((id) => !ledger.taken.has(id))).toEqual([])
    const fails = Array.from({ length: plan.events }, (_, i) => fateOf(i)).filter((fate) => fate === 'fails')
    expect(ledger.failed.size).toBeGreaterThanOrEqual(fails.length)
  })

  test('no attempt is sent twice', () => {
    expect(ledger.sentTwice).toEqual([])
  })

  test('a job is delivered again only where the worker of an earlier attempt was lost', () => {
    expect(ledger.takenAgain.size, 'workers were killed over jobs in hand').toBeGreaterThan(0)
    for (const [id, outcomes] of ledger.takenAgain) {
      const others = outcomes.filter((outcome) => outcome !== 'LOST')
      expect(others, `${id}: ${outcomes}`).toEqual(ledger.delivered.has(id) ? ['DELIVERED'] : [])
    }
  })
}
