import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FailedJobs, openFailedJobs } from '../support/failed-jobs.ts'
import { alphanumericCnpj } from '../support/tenants.ts'

let world: FailedJobs
beforeAll(async () => {
  world = await openFailedJobs({ maxRounds: 2 })
})
afterAll(() => world.close())

const failed = async (cnpj?: string) => {
  const n = await world.accept(cnpj)
  await world.steps.fail(n)
  return n
}
const id = (n: number) => `ID-${n}`
const stateOf = async (n: number) => {
  const job = await world.job(n)
  return job && [job.status, job.round]
}
const entries = () => world.services.errorQueue.count('nifi')

describe('a report', () => {
  test('queues the job again and says why it was reported', async () => {
    const n = await failed()
    const before = await entries()
    expect(await world.post({ id: id(n), error: 'column missing' })).toEqual({
      status: 202,
      body: { queue: 'nifi', requeued: [id(n)], skipped: [] },
    })
    expect(await world.job(n)).toMatchObject({
      status: 'QUEUED',
      round: 1,
      reported: 'column missing',
      failure: null,
    })
    expect(await entries()).toBe(before - 1)
    expect(await world.services.lanes.get('nifi').queue.getJobState(`ID-${n}.r1`)).toBe('waiting')
  })

  test('of several jobs tells of each what became of it, and takes each once', async () => {
    const [failing, delivered, waiting] = [await failed(), await world.accept(), await world.accept()]
    await world.steps.deliver(delivered)
    const discarded = await failed()
    await world.services.reprocess.discard(discarded)
    const delivering = await world.accept()
    await world.steps.begin(delivering)
    const all = [failing, delivered, waiting, discarded, delivering, failing]
    const { status, body } = await world.post({ ids: all.map(id), error: 'no' })
    expect(status).toBe(202)
    expect(body).toEqual({
      queue: 'nifi',
      requeued: [id(failing), id(delivered), id(delivering)],
      skipped: [
        { id: id(waiting), reason: 'ALREADY_QUEUED' },
        { id: id(discarded), reason: 'DISCARDED' },
      ],
    })
    expect(await stateOf(failing)).toEqual(['QUEUED', 1])
    expect(await stateOf(delivered)).toEqual(['QUEUED', 1])
    expect(await stateOf(delivering)).toEqual(['DELIVERING', 0])
  })

  test('sent twice at once queues the job once', async () => {
    const n = await failed()
    const answers = await Promise.all([1, 2, 3].map(() => world.post({ id: id(n) })))
    expect(answers.flatMap(({ body }) => body.requeued)).toEqual([id(n)])
    const reasons = answers.flatMap(({ body }) => body.skipped as { reason: string }[])
    expect(reasons.map(({ reason }) => reason)).toEqual(['ALREADY_REQUEUED', 'ALREADY_REQUEUED'])
    expect(await stateOf(n)).toEqual(['QUEUED', 1])
  })

  test('counts for the round it names', async () => {
    const n = await failed()
    const other = await world.post({ id: id(n), round: 1 })
    expect(other.body).toMatchObject({ requeued: [], skipped: [{ id: id(n), reason: 'OTHER_ROUND' }] })
    expect((await world.post({ id: id(n), round: 0 })).body).toMatchObject({ requeued: [id(n)] })
    expect((await world.post({ id: id(n), round: 0 })).body).toMatchObject({
      skipped: [{ id: id(n), reason: 'OTHER_ROUND' }],
    })
    expect(await stateOf(n)).toEqual(['QUEUED', 1])
  })

  test('beyond the limit of rounds is skipped, and the job stays where it is', async () => {
    const n = await failed()
    for (const round of [0, 1]) {
      await world.post({ id: id(n), round })
      await world.steps.fail(n)
    }
    expect((await world.post({ id: id(n), round: 2 })).body).toEqual({
      ...{ queue: 'nifi', requeued: [] },
      skipped: [{ id: id(n), reason: 'REPROCESS_LIMIT' }],
    })
    expect(await stateOf(n)).toEqual(['FAILED', 2])
    expect(await world.services.errorQueue.has('nifi', n, 2)).toBe(true)
  })
})

describe('refused is', () => {
  test.each([
    ['a queue that there is not', 'faturas', {}, 404, 'QUEUE_NOT_FOUND'],
    ['an error queue by its own name', 'nifi.errors', {}, 404, 'QUEUE_NOT_FOUND'],
    ['a body that is no JSON', 'nifi', '{"id":', 400, 'INVALID_JSON'],
    ['a list', 'nifi', '[]', 400, 'BAD_REQUEST'],
    ['null', 'nifi', 'null', 400, 'BAD_REQUEST'],
    ['an object without ids', 'nifi', {}, 400, 'BAD_REQUEST'],
    ['both forms', 'nifi', { id: 'ID-1', ids: ['ID-1'] }, 400, 'BAD_REQUEST'],
    ['an unknown field', 'nifi', { id: 'ID-1', reason: 'x' }, 400, 'BAD_REQUEST'],
    ['no ids at all', 'nifi', { ids: [] }, 400, 'BAD_REQUEST'],
    ['too many ids', 'nifi', { ids: Array(1_001).fill('ID-1') }, 400, 'BAD_REQUEST'],
    ['an id that is a number', 'nifi', { id: 7 }, 400, 'BAD_REQUEST'],
    ['an error that is an object', 'nifi', { id: 'ID-1', error: {} }, 400, 'BAD_REQUEST'],
    ['a long error', 'nifi', { id: 'ID-1', error: 'x'.repeat(4_001) }, 400, 'BAD_REQUEST'],
    ['a round that is no number', 'nifi', { id: 'ID-1', round: '0' }, 400, 'BAD_REQUEST'],
    ['a negative round', 'nifi', { id: 'ID-1', round: -1 }, 400, 'BAD_REQUEST'],
    ['an id of another form', 'nifi', { id: '7' }, 404, 'JOB_NOT_FOUND'],
    ['a job that there is not', 'nifi', { id: 'ID-999999' }, 404, 'JOB_NOT_FOUND'],
  ])('%s', async (_what, queue, body, status, code) => {
    expect(await world.post(body, 'admin', queue)).toMatchObject({ status, body: { error: { code } } })
  })

  test('who has no token', async () => {
    expect(await world.post({ id: 'ID-1' }, 'stranger')).toMatchObject({
      ...{ status: 401, body: { error: { code: 'UNAUTHENTICATED' } } },
    })
  })

  test("another tenant's job, and then nothing of the request happens", async () => {
    const [own, theirs] = [await failed(), await failed(alphanumericCnpj)]
    const refused = { status: 404, body: { error: { code: 'JOB_NOT_FOUND' } } }
    expect(await world.post({ ids: [id(own), id(theirs)] })).toMatchObject(refused)
    expect(await stateOf(own)).toEqual(['FAILED', 0])
    expect(await stateOf(theirs)).toEqual(['FAILED', 0])
    expect((await world.post({ ids: [id(own), id(theirs)] }, 'admin')).body).toMatchObject({
      requeued: [id(own), id(theirs)],
    })
  })
})

describe('an empty body', () => {
  test("queues every job of the error queue again: a tenant's own, all for the administrator", async () => {
    await world.post(undefined, 'admin')
    const [mine, theirs] = [[await failed(), await failed()], [await failed(alphanumericCnpj)]]
    const answer = await world.post()
    expect(answer).toMatchObject({ status: 202, body: { queue: 'nifi', requeued: mine.map(id) } })
    expect(await stateOf(theirs[0] ?? 0)).toEqual(['FAILED', 0])
    const more = await failed()
    expect((await world.post(undefined, 'admin')).body.requeued).toEqual([theirs[0] ?? 0, more].map(id))
    expect((await world.post(undefined, 'other')).body).toMatchObject({ requeued: [] })
  })

  test('sent twice at once queues each job once', async () => {
    const ns = [await failed(), await failed()]
    const answers = await Promise.all([world.post(), world.post()])
    expect(answers.flatMap(({ body }) => body.requeued as string[]).sort()).toEqual(ns.map(id).sort())
    for (const n of ns) expect(await stateOf(n)).toEqual(['QUEUED', 1])
  })

  test('takes the oldest 1,000 of a long error queue, and the next request the rest', async () => {
    const ns: number[] = []
    for (let batch = 0; batch < 11; batch += 1) {
      ns.push(...(await Promise.all(Array.from({ length: 100 }, () => failed(alphanumericCnpj)))))
    }
    const first = await world.post(undefined, 'other')
    expect((first.body.requeued as string[]).length).toBe(1_000)
    const second = await world.post(undefined, 'other')
    expect(new Set([...(first.body.requeued as string[]), ...(second.body.requeued as string[])])).toEqual(
      new Set(ns.map(id)),
    )
  })
})
