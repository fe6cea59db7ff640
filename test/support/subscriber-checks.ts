import { beforeAll, expect, test } from 'vitest'
import type { Course } from './subscriber-course.ts'
import { type Followed, followThroughCuts, type SubscriberPlan } from './subscribers.ts'

/** Declares the tests of one run. */
export function expectEverySubscriberToGetTheJournal(plan: SubscriberPlan, withinMs: number): void {
  let followed: Followed
  beforeAll(async () => {
    followed = await followThroughCuts(plan)
    console.log({ ...plan, changes: followed.changes, ...followed.figures })
  }, withinMs)

  /** The first place where a subscriber differs from the journal, for people. */
  const differenceOf = ({ got }: Course, expected: readonly number[]) => {
    const at = got.findIndex((number, i) => number !== expected[i])
    const place = at < 0 ? got.length : at
    const textAt = (list: readonly number[]) => followed.book.textOf(list[place] ?? -1) ?? 'nothing'
    return `got ${got.length} of ${expected.length}; at ${place} ${textAt(got)} instead of ${textAt(expected)}`
  }

  test('every subscriber gets what the journal has for it, in order, nothing missing and nothing twice', () => {
    expect(followed.changes).toBeGreaterThanOrEqual(4 * plan.jobs)
    const wrong = followed.subscribers
      .filter(
        ({ course: { got }, expected }) =>
          got.length !== expected.length || got.some((one, i) => one !== expected[i]),
      )
      .map(({ name, course, expected }) => `${name}: ${differenceOf(course, expected)}`)
    expect(wrong).toEqual([])
  })

  test('tenants get a part of it, and administrators all of it', () => {
    const lengths = new Set(followed.subscribers.map(({ expected }) => expected.length))
    expect(Math.max(...lengths)).toBe(followed.changes)
    expect(Math.min(...lengths)).toBeLessThan(followed.changes / 2)
  })

  test('every subscriber was cut off as often as was planned, and came back each time', () => {
    const cuts = followed.subscribers.map(({ course }) => course.cuts)
    expect(new Set(cuts)).toEqual(new Set([plan.cuts]))
    const fewest = Math.min(...followed.subscribers.map(({ course }) => course.connections))
    expect(fewest).toBeGreaterThan(plan.cuts)
  })
}
