import { expect, test } from 'vitest'
import type { FinishAs } from '../../src/events/transitions.ts'
import { keys } from '../../src/redis/keys.ts'
import { sampleAttempt } from '../contract/sample-jobs.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { failed } from '../support/failures.ts'

const { core } = await coreForFile()

const lease = 30_000
const queued = async () => {
  const n = await core.accept()
  await core.transitions.enqueue([n])
  return n
}
const delivering = async () => {
  const n = await queued()
  await core.transitions.start(n, 0, 'me', lease)
  return n
}
const finished = async (as: FinishAs) => {
  const n = await delivering()
  await core.transitions.finish(n, 1, as)
  return n
}

/** Everything that a change can leave behind, except a lease: a repeat by its holder renews it. */
const traces = async (n: number) => ({
  record: { ...(await core.redis.hgetall(keys.job(n))), leaseUntil: undefined },
  attempts: await core.redis.lrange(keys.attempts(n), 0, -1),
  changes: (await core.journal(n)).length,
})

/** Makes a change, and again as after a lost answer: what it leaves behind and what the repeat answers. `between`: what time must not do. */
async function twice<Answer>(n: number, change: () => Promise<Answer>, between = async () => {}) {
  const first = await change()
  await between()
  const after = await traces(n)
  const second = await change()
  expect(await traces(n)).toEqual(after)
  return { first, second }
}

test('enqueue', async () => {
  const n = await core.accept()
  const { first, second } = await twice(n, () => core.transitions.enqueue([n]))
  expect(first).toEqual([{ kind: 'add', entry: { n, round: 0, queue: 'nifi', destination: 'default' } }])
  expect(second).toEqual(first)
})

test('start, by the same owner', async () => {
  const n = await queued()
  const { first, second } = await twice(n, () => core.transitions.start(n, 0, 'me', lease))
  expect(first).toMatchObject({ kind: 'started', attempt: 1, attemptInRound: 1 })
  expect(second).toEqual(first)
  expect(await core.job(n)).toMatchObject({ status: 'DELIVERING' })
})

const attempt = sampleAttempt(1)
test.each<[string, FinishAs]>([
  ['delivered', { status: 'DELIVERED', attempt }],
  ['to be tried again', { status: 'RETRYING', delayMs: 5_000, attempt }],
  ['held', { status: 'HELD' }],
  ['failed', { status: 'FAILED', failure: failed, attempt }],
])('finish, %s', async (_what, as) => {
  const n = await delivering()
  const { first, second } = await twice(n, () => core.transitions.finish(n, 1, as))
  expect(first).toMatchObject({ kind: 'done', status: as.status, round: 0 })
  expect(second).toEqual(first)
})

test('finish, delivered with a report that came first', async () => {
  const n = await delivering()
  await core.transitions.requeue({ n, report: 'no', maxRounds: 5 })
  const { first, second } = await twice(n, () =>
    core.transitions.finish(n, 1, { status: 'DELIVERED', attempt }),
  )
  expect(first).toEqual({ kind: 'done', status: 'QUEUED', round: 1, nextAttemptAt: 0 })
  expect(second).toEqual(first)
})

test('requeue, whether the caller names the round or not', async () => {
  const one = await finished({ status: 'FAILED', failure: failed })
  // A repeat counts as such for 5 s, which a busy machine may take.
  const aMomentAgo = async () =>
    void (await core.redis.hset(keys.job(one), 'requeuedAt', Date.now() + 60_000))
  const unnamed = await twice(one, () => core.transitions.requeue({ n: one, maxRounds: 5 }), aMomentAgo)
  expect(unnamed.first).toEqual({ kind: 'requeued', queue: 'nifi', round: 1, previousRound: 0 })
  expect(unnamed.second).toEqual({ kind: 'refused', reason: 'ALREADY_REQUEUED' })

  const other = await finished({ status: 'DELIVERED' })
  const named = await twice(other, () => core.transitions.requeue({ n: other, round: 0, maxRounds: 5 }))
  expect(named.first).toEqual({ kind: 'requeued', queue: 'nifi', round: 1, previousRound: 0 })
  expect(named.second).toEqual({ kind: 'refused', reason: 'OTHER_ROUND' })
})

test('a report that came before the outcome', async () => {
  const n = await delivering()
  const { first, second } = await twice(n, () => core.transitions.requeue({ n, report: 'no', maxRounds: 5 }))
  expect(first).toEqual({ kind: 'noted', queue: 'nifi' })
  expect(second).toEqual(first)
})

test('discard', async () => {
  const n = await queued()
  const { first, second } = await twice(n, () => core.transitions.discard(n))
  expect(first).toEqual({ kind: 'discarded', queue: 'nifi', round: 0 })
  expect(second).toEqual({ kind: 'refused', status: 'DISCARDED' })
})

test('settle takes a failed job off the list of the sweeper, for its own round alone', async () => {
  const isWatched = async (n: number) => (await core.redis.zscore(keys.due, n)) !== null
  const n = await finished({ status: 'FAILED', failure: failed })
  await core.transitions.settle(n, 1)
  expect(await isWatched(n)).toBe(true)
  await twice(n, () => core.transitions.settle(n, 0))
  expect(await isWatched(n)).toBe(false)

  const again = await queued()
  await core.transitions.settle(again, 0)
  expect(await isWatched(again)).toBe(true)
})
