import { beforeAll, expect, test } from 'vitest'
import type { ReplyPlan } from './reply-fates.ts'
import { keepReplyLedger, type LedgerLine, type ReplyLedger } from './reply-ledger.ts'

/** Declares the tests of one ledger of replies. */
export function expectEveryReplyToArrive(plan: ReplyPlan, withinMs: number): void {
  let ledger: ReplyLedger
  const linesOf = (belongs: (line: LedgerLine) => boolean) => ledger.lines.filter(belongs)
  beforeAll(async () => {
    ledger = await keepReplyLedger(plan)
    console.log({ ...plan, ...ledger.figures })
  }, withinMs)

  test('nobody is given the reply to another call, or the second one', () => {
    const replied = linesOf(({ answer }) => answer.kind === 'replied')
    expect(replied.length).toBeGreaterThan(plan.calls / 3)
    expect(replied.filter((line) => !isOwn(line, line.answer))).toEqual([])
  })

  test('every call is one that can be read, and the upstream got it once', () => {
    expect(linesOf(({ shown, calls }) => !shown || calls !== 1)).toEqual([])
  })

  if (plan.loss === 'none') expectAllInTime(plan, linesOf)
  else expectAllKept(plan, linesOf)
  if (plan.loss === 'stopped')
    test('the gateway that stops answers all its callers, and ends well', () => {
      expect(linesOf(({ answer }) => answer.kind === 'unanswered' || answer.kind === 'refused')).toEqual([])
      expect(ledger.exitCode).toBe(0)
    })
}

type LinesOf = (belongs: (line: LedgerLine) => boolean) => LedgerLine[]

function expectAllInTime({ latePercent }: ReplyPlan, linesOf: LinesOf): void {
  test('whose reply is late gets an id, by which it is read, and all others their reply', () => {
    const others = linesOf(({ answer }) => answer.kind !== 'replied')
    expect(
      others.filter(({ answer, shown }) => answer.kind !== 'pending' || shown?.status !== 'LATE'),
    ).toEqual([])
    expect(others.filter((line) => !isOwn(line, line.shown))).toEqual([])
    const late = linesOf(({ fate }) => fate.timing === 'late')
    expect(others.map(({ fate }) => fate.mark)).toEqual(late.map(({ fate }) => fate.mark))
    expect(late.length > 0).toBe(latePercent > 0)
  })

  test('each second reply is counted, and nothing else is', () => {
    const double = linesOf(({ fate, sentAgain }) => fate.timing === 'double' && !sentAgain)
    expect(double.length).toBeGreaterThan(0)
    const counted = linesOf(({ shown, sentAgain }) => shown?.duplicates !== 0 && !sentAgain)
    expect(counted.map(({ fate, shown }) => [fate.mark, shown?.duplicates])).toEqual(
      double.map(({ fate }) => [fate.mark, 1]),
    )
  })
}

function expectAllKept({ loss }: ReplyPlan, linesOf: LinesOf): void {
  const told = loss === 'killed' ? 'unanswered' : 'pending'
  const left = () => linesOf(({ answer, fate }) => fate.calledAt === 1 && answer.kind === told)

  test('callers of the other gateway do not notice', () => {
    const here = linesOf(({ fate }) => fate.calledAt === 0 && fate.timing !== 'late')
    expect(here.filter(({ answer }) => answer.kind !== 'replied')).toEqual([])
  })

  test('every reply to a call whose external id was known, or by its callback URL, is read afterwards', () => {
    expect(left().length).toBeGreaterThan(0)
    const kept = left().filter(({ fate, shown }) => shown?.externalId || fate.way === 'url')
    expect(kept.length).toBeGreaterThan(left().length / 2)
    expect(kept.filter((line) => !isOwn(line, line.shown))).toEqual([])
  })

  test('and whoever repeats the call with its key gets it', () => {
    const repeats = linesOf(({ repeated }) => repeated !== undefined)
    expect(repeats.length).toBeGreaterThan(0)
    const wrong = repeats.filter(
      (line) => line.repeated?.kind !== 'replied' || line.repeated.awaitId !== line.shown?.id,
    )
    expect([...wrong, ...repeats.filter((line) => !isOwn(line, line.repeated))]).toEqual([])
  })
}

/** Whether the first reply to this very call is in what somebody got. */
function isOwn({ fate }: LedgerLine, got: { payload?: unknown } | object | null | undefined): boolean {
  const { mark, nth } = ((got && 'payload' in got && got.payload) || {}) as { mark?: number; nth?: number }
  return mark === fate.mark && nth === 1
}
