import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BulkPlan, type CutBulk, cutBulk, limitOf, openDownstream } from './cut-bulk.ts'
import type { Fleet } from './fleet.ts'

/** Declares the tests of one bulk that is cut in the middle. */
export function expectCutBulkToEndWell(plan: BulkPlan): void {
  let cut: CutBulk
  const downstream = { isGone: true }
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await openDownstream(downstream)
    cut = await cutBulk(plan, fleet, downstream)
  }, limitOf(plan))
  afterAll(() => fleet?.close())

  test('it is cut in the middle, and goes on where it was until every job is queued again', () => {
    expect(cut.doneAtKill).toHaveLength(plan.kills)
    for (const done of cut.doneAtKill) {
      expect(done).toBeGreaterThan(0)
      expect(done).toBeLessThan(plan.jobs)
    }
    expect(cut.bulk).toEqual({ status: 'COMPLETED', total: plan.jobs, done: plan.jobs, skipped: [] })
  })

  test('every job has one round more, and none has two', () => {
    expect(cut.jobs).toHaveLength(plan.jobs)
    expect(
      cut.jobs.filter(({ status, reprocessCount }) => status !== 'DELIVERED' || reprocessCount !== 1),
    ).toEqual([])
  })

  test('every job is delivered once in its round, and no attempt is sent twice', () => {
    const times = cut.jobs.map(({ attempts }) =>
      attempts.filter(({ outcome }) => outcome === 'DELIVERED').map(({ round }) => round),
    )
    expect(times).toEqual(Array(plan.jobs).fill([1]))
    expect(cut.sentTwice).toEqual([])
  })
}
