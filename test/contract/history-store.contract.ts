import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Job, JobRound } from '../../src/events/job.ts'
import { lostWithRedis } from '../../src/events/job-record.ts'
import type { HistoryStore, JobsFilter, JobsPage, Wanted } from '../../src/history/history-store.ts'
import type { TenantStore } from '../../src/tenants/tenant-store.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'
import { sampleAttempt, sampleJob, snapshot } from './sample-jobs.ts'

/** `narrow`: the same, which looks through two candidates and is out of time. `tenants`: those of the same database. */
type Opened = {
  store: HistoryStore
  narrow: HistoryStore
  tenants: Pick<TenantStore, 'create'>
  close(): Promise<void>
}

const at = (journalId: string, epoch = 'first') => ({ epoch, journalId })
const failure = {
  reason: 'EXHAUSTED',
  error: 'connection refused',
  statusCode: null,
  responseExcerpt: 'não',
  attempts: 3,
  firstAttemptAt: 1,
  lastAttemptAt: 2,
  failedAt: 3,
}

const start = 1_800_000_000_000

async function writeTen(store: HistoryStore): Promise<void> {
  const statuses = ['DELIVERED', 'FAILED', 'QUEUED', 'DISCARDED'] as const
  const [one, other] = ['pedido.criado', 'pedido']
  const eventTypes = [null, other, one, other, one, null, one, other, one, other]
  const jobs = Array.from({ length: 10 }, (_, index) =>
    sampleJob(index + 1, {
      cnpj: index < 5 ? '00000000000191' : '12ABC34501DE35',
      queue: index % 3 === 0 ? 'slow' : 'nifi',
      destination: index % 2 === 0 ? 'default' : 'dst_"erp"',
      eventType: eventTypes[index % 10] ?? null,
      status: statuses[index % 4] ?? 'QUEUED',
      failure: index % 4 === 1 ? { ...failure, error: `ECONNREFUSED by host ${index + 1}` } : null,
      reported: index === 9 ? 'esquema inválido' : null,
      journalId: `1800000000000-${index + 1}`,
    }),
  )
  const bodies = [
    '{"cliente":"Ação e Pão","valor":10}',
    '{"cliente":"Outro","valor":10,"obs":"50% de desconto"}',
  ]
  await store.record(
    jobs.map((job) => snapshot(job, [sampleAttempt(1)], Buffer.from(bodies[job.n % 2] ?? ''))),
    at('1-0'),
  )
}

/** What every HistoryStore promises. `open` gives a store that is empty. */
export function historyStoreContract(open: () => Promise<Opened>) {
  describe('history store', () => {
    let opened: Opened
    let store: HistoryStore
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.close())

    it('starts empty, under a lasting name of its own', async () => {
      expect(await store.id()).toMatch(/^[0-9a-f-]{36}$/)
      expect(await store.id()).toBe(await store.id())
      expect(await store.highestNumber()).toBe(0)
      expect(await store.position()).toBeNull()
      expect(await store.list({}, { limit: 10 })).toEqual([])
    })

    it('gives back a job with every field set, its body byte for byte and its attempts', async () => {
      const job = sampleJob(7, {
        eventType: 'pedido.criado',
        correlationId: 'c-1',
        status: 'FAILED',
        round: 2,
        attempts: 2,
        nextAttemptAt: 1_800_000_000_001,
        deliveredAt: 1_800_000_000_002,
        requeuedAt: 1_800_000_000_003,
        failure,
        reported: 'NiFi não leu',
        journalId: '1800000000123-45',
      })
      const attempts = [
        sampleAttempt(1, { outcome: 'RETRY', error: 'x', responseHeaders: null }),
        sampleAttempt(2),
      ]
      const body = Buffer.from([0, 255, 10, 13, 0])
      await store.record([snapshot(job, attempts, body)], at('1800000000123-45'))
      expect(await store.jobs([7, 8])).toEqual([job])
      expect(await store.body(7)).toEqual(body)
      expect(await store.attempts([7, 8])).toEqual(new Map([[7, attempts]]))
    })

    it('keeps an empty body apart from a body that is not there', async () => {
      await store.record([snapshot(sampleJob(1), [], Buffer.alloc(0))], at('1-0'))
      expect(await store.body(1)).toEqual(Buffer.alloc(0))
      expect(await store.body(2)).toBeNull()
      expect(await store.bodies([1, 2])).toEqual(new Map([[1, Buffer.alloc(0)]]))
      expect(await store.bodies([])).toEqual(new Map())
    })

    it('moves the position with the snapshots, and without any', async () => {
      await store.record([snapshot(sampleJob(3))], at('99-9'))
      expect(await store.position()).toEqual(at('99-9'))
      await store.record([], at('100-10'))
      expect(await store.position()).toEqual(at('100-10'))
      expect(await store.highestNumber()).toBe(3)
    })

    it('never moves the position back, but follows a new epoch from its beginning', async () => {
      await store.record([], at('100-10'))
      await store.record([], at('100-9'))
      expect(await store.position()).toEqual(at('100-10'))
      await store.record([], at('0-0', 'second'))
      await store.record([], at('5-0', 'second'))
      expect(await store.position()).toEqual(at('5-0', 'second'))
      // Somebody who still writes what he read before Redis was replaced.
      await store.record([snapshot(sampleJob(1))], at('100-10'))
      expect(await store.position()).toEqual(at('5-0', 'second'))
    })

    it('ignores a snapshot that is not newer, by number and not by text', async () => {
      const newer = sampleJob(1, { status: 'DELIVERED', journalId: '1000-10' })
      await store.record([snapshot(newer)], at('1000-10'))
      for (const journalId of ['1000-9', '999-11', '1000-10'])
        await store.record([snapshot(sampleJob(1, { status: 'FAILED', journalId }))], at('1000-11'))
      expect(await store.jobs([1])).toEqual([newer])
      const newest = sampleJob(1, { status: 'QUEUED', round: 1, journalId: '10000-0' })
      await store.record([snapshot(newest)], at('10000-0'))
      expect(await store.jobs([1])).toEqual([newest])
    })

    it('keeps the first body and each attempt once, and adds the attempts that are new', async () => {
      await store.record([snapshot(sampleJob(1), [sampleAttempt(1)], Buffer.from('first'))], at('1-0'))
      const again = [sampleAttempt(1, { error: 'changed' }), sampleAttempt(2)]
      await store.record([snapshot(sampleJob(1), again, Buffer.from('second'))], at('2-0'))
      expect(await store.body(1)).toEqual(Buffer.from('first'))
      expect((await store.attempts([1])).get(1)).toEqual([sampleAttempt(1), sampleAttempt(2)])
    })

    it('keeps each round once, in order, with who asked for it and why', async () => {
      const by = { kind: 'admin', name: 'ops' } as const
      const first: JobRound = { number: 1, startedAt: start, previous: 'FAILED', audit: null }
      const audit = { trigger: 'BULK', by, reason: 'não leu', bulk: 'bulk_1' } as const
      const second: JobRound = { number: 2, startedAt: start + 1, previous: 'DELIVERED', audit }
      await store.record([{ ...snapshot(sampleJob(1)), rounds: [first] }, snapshot(sampleJob(2))], at('1-0'))
      const again = { ...first, startedAt: start + 5 }
      await store.record([{ ...snapshot(sampleJob(1)), rounds: [second, again] }], at('2-0'))
      expect(await store.rounds([1, 2])).toEqual(new Map([[1, [first, second]]]))
      expect(await store.rounds([])).toEqual(new Map())
    })

    it('writes all of a batch or nothing', async () => {
      const broken = sampleJob(2, { status: null as never })
      await expect(store.record([snapshot(sampleJob(1)), snapshot(broken)], at('9-0'))).rejects.toThrow()
      expect(await store.jobs([1, 2])).toEqual([])
      expect(await store.position()).toBeNull()
      expect(await store.highestNumber()).toBe(0)
    })

    it('takes the largest numbers, times and bodies that there are', async () => {
      const n = 999_999_999_999_999
      const job = sampleJob(n, { journalId: '1800000000000-9223372036854775807' })
      const body = Buffer.alloc(1_048_576, 'ç')
      await store.record([snapshot(job, [], body)], at(job.journalId))
      expect(await store.jobs([n])).toEqual([job])
      expect(body.equals((await store.body(n)) ?? Buffer.alloc(0))).toBe(true)
      expect(await store.position()).toEqual(at(job.journalId))
    })

    describe('with ten jobs of two tenants, two queues and four statuses', () => {
      beforeEach(() => writeTen(store))

      it('finds a job by what went wrong as long as that is what it says', async () => {
        const find = async (text: string) => (await store.list({ text }, { limit: 10 })).map(({ n }) => n)
        const write = (changes: Partial<Job>, journalId: string) =>
          store.record(
            [{ job: sampleJob(2, { ...changes, journalId }), body: null, attempts: [], rounds: [] }],
            at(journalId),
          )
        await write(
          { status: 'FAILED', failure: { ...failure, error: 'certificate expired' } },
          '1900000000000-0',
        )
        expect(await find('econnrefused')).toEqual([10, 6])
        expect(await find('certificate')).toEqual([2])
        await write({ status: 'QUEUED', round: 1, reported: 'coluna ausente' }, '1900000000000-1')
        expect(await find('certificate')).toEqual([])
        expect(await find('coluna')).toEqual([2])
        await write({ status: 'FAILED', failure: { ...failure, error: 'late' } }, '1900000000000-0')
        expect(await find('late')).toEqual([])
        await write({ status: 'DELIVERED', round: 1 }, '1900000000000-2')
        expect(await find('coluna')).toEqual([])
        expect(await find('pao')).toEqual([10, 8, 6, 4, 2])
      })

      it('finds no removed job by its words, and a new one under its number by its own', async () => {
        await store.removeFinished(Number.MAX_SAFE_INTEGER, 100)
        expect(await store.list({ text: 'valor' }, { limit: 10 })).toMatchObject([{ n: 7 }, { n: 3 }])
        expect(await store.list({ text: 'econnrefused' }, { limit: 10 })).toEqual([])
        await store.record([snapshot(sampleJob(2), [], Buffer.from('novo'))], at('2-0'))
        expect(await store.list({ text: 'novo' }, { limit: 10 })).toMatchObject([{ n: 2 }])
        expect(await store.list({ text: 'valor', ns: [2] }, { limit: 10 })).toEqual([])
      })

      it('removes finished jobs that are old enough, oldest first and in batches, with bodies and attempts', async () => {
        const before = 1_800_000_000_000 + 8
        expect(await store.removeFinished(before, 2)).toBe(2)
        expect((await store.list({}, { limit: 100 })).map((job) => job.n)).toEqual([10, 9, 8, 7, 6, 5, 4, 3])
        expect(await store.removeFinished(before, 100)).toBe(3)
        expect(await store.removeFinished(before, 100)).toBe(0)
        expect((await store.list({}, { limit: 100 })).map((job) => job.n)).toEqual([10, 9, 8, 7, 3])
        expect(await store.body(1)).toBeNull()
        expect([...(await store.attempts([1, 2, 3])).keys()]).toEqual([3])
      })

      it('makes unfinished jobs FAILED, in batches, and leaves the others as they are', async () => {
        const statusOf = async () =>
          new Map((await store.list({}, { limit: 100 })).map((job) => [job.n, job.status]))
        const before = await statusOf()
        const isOpen = (status: string) => !['DELIVERED', 'FAILED', 'DISCARDED'].includes(status)
        const open = [...before].filter(([, status]) => isOpen(status)).map(([n]) => n)
        expect(open.length).toBeGreaterThan(1)
        expect(await store.failUnfinished(lostWithRedis(1_900_000_000_000), 1)).toBe(1)
        expect(await store.failUnfinished(lostWithRedis(1_900_000_000_000), 100)).toBe(open.length - 1)
        expect(await store.failUnfinished(lostWithRedis(1_900_000_000_000), 100)).toBe(0)
        for (const [n, status] of await statusOf())
          expect(status).toBe(open.includes(n) ? 'FAILED' : before.get(n))
        for (const job of await store.jobs(open)) {
          expect(job).toMatchObject({ updatedAt: 1_900_000_000_000, failure: { reason: 'DATA_SET_LOST' } })
        }
      })

      it('remembers the highest number after its job is gone', async () => {
        await store.removeFinished(Number.MAX_SAFE_INTEGER, 100)
        await store.record([snapshot(sampleJob(4))], at('2-0'))
        expect(await store.highestNumber()).toBe(10)
      })
    })
  })

  describe('a history store of ten jobs of two tenants, two queues and four statuses', () => {
    let opened: Opened
    let store: HistoryStore
    let narrow: HistoryStore
    beforeAll(async () => {
      opened = await open()
      store = opened.store
      narrow = opened.narrow
      await writeTen(store)
    })
    afterAll(() => opened.close())

    it.each<[JobsFilter, number[]]>([
      [{}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]],
      [{ cnpj: '00000000000191' }, [5, 4, 3, 2, 1]],
      [{ queue: 'slow' }, [10, 7, 4, 1]],
      [{ destination: 'dst_"erp"' }, [10, 8, 6, 4, 2]],
      [{ eventType: 'pedido' }, [10, 8, 4, 2]],
      [{ eventType: 'pedido.criado' }, [9, 7, 5, 3]],
      [{ statuses: ['FAILED'] }, [10, 6, 2]],
      [{ statuses: ['FAILED', 'DELIVERED', 'FAILED'] }, [10, 9, 6, 5, 2, 1]],
      [{ cnpj: '00000000000191', queue: 'slow' }, [4, 1]],
      [{ cnpj: '00000000000191', queue: 'slow', eventType: 'pedido', destination: 'dst_"erp"' }, [4]],
      [{ cnpj: '00000000000191', statuses: ['FAILED', 'QUEUED'] }, [3, 2]],
      [{ queue: 'nifi', statuses: ['FAILED', 'QUEUED'] }, [6, 3, 2]],
      [{ destination: 'default', statuses: ['QUEUED'] }, [7, 3]],
      [{ eventType: 'pedido', statuses: ['FAILED', 'DISCARDED'] }, [10, 8, 4, 2]],
      [{ cnpj: '12ABC34501DE35', eventType: 'pedido', statuses: ['FAILED'] }, [10]],
      [{ cnpj: '12ABC34501DE35', eventType: 'pedido', statuses: ['FAILED', 'DELIVERED'] }, [10]],
      [{ queue: 'nifi', destination: 'default', statuses: ['QUEUED'], receivedTo: start + 7 }, [3]],
      [{ ns: [2, 6, 77] }, [6, 2]],
      [{ ns: [2, 6, 7], cnpj: '12ABC34501DE35', queue: 'nifi', statuses: ['FAILED'] }, [6]],
      [{ ns: [2, 3, 6], eventType: 'pedido', text: 'desconto' }, []],
      [{ ns: [2, 3, 6], destination: 'dst_"erp"', text: 'econnrefused' }, [6, 2]],
      [{ ns: [] }, []],
      [{ statuses: [] }, []],
      [{ cnpj: 'nobody' }, []],
      [{ receivedFrom: start + 8 }, [10, 9, 8]],
      [{ receivedTo: start + 3 }, [2, 1]],
      [{ receivedFrom: start + 3, receivedTo: start + 6 }, [5, 4, 3]],
      [{ receivedFrom: start + 3, receivedTo: start + 9, queue: 'nifi', statuses: ['FAILED'] }, [6]],
      [{ receivedFrom: start + 3, receivedTo: start + 9, text: 'ACAO' }, [8, 6, 4]],
      [{ receivedFrom: start + 9, receivedTo: start + 9 }, []],
      [{ changedUpTo: '1800000000000-9' }, [9, 8, 7, 6, 5, 4, 3, 2, 1]],
      [{ changedUpTo: '1799999999999-99' }, []],
      [{ changedUpTo: '1800000000000-9', statuses: ['FAILED'], queue: 'nifi' }, [6, 2]],
      [
        { changedUpTo: '1800000000000-5', statuses: ['DELIVERED', 'FAILED'], cnpj: '00000000000191' },
        [5, 2, 1],
      ],
      [{ changedUpTo: '1800000000000-5', ns: [2, 6], statuses: ['FAILED'] }, [2]],
      [{ changedUpTo: '1800000000000-5', text: 'econnrefused', statuses: ['FAILED'] }, [2]],
      [{ text: 'desconto' }, [9, 7, 5, 3, 1]],
      [{ text: 'pao valor' }, [10, 8, 6, 4, 2]],
      [{ text: 'pao desconto' }, []],
      [{ text: 'econnrefused' }, [10, 6, 2]],
      [{ text: 'ECONNREFUSED 6' }, [6]],
      [{ text: 'invalido' }, [10]],
      [{ text: 'valor', cnpj: '00000000000191' }, [5, 4, 3, 2, 1]],
      [{ text: 'pão', statuses: ['FAILED', 'QUEUED'], destination: 'dst_"erp"' }, [10, 6, 2]],
      [{ text: 'valor', statuses: ['QUEUED'], queue: 'slow' }, [7]],
      [{ text: '"valor" - %' }, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]],
      [{ text: '% --' }, []],
      [{ text: 'va"lor' }, []],
      [{ text: 'valor" OR "pao' }, []],
      [{ text: 'NEAR(valor pao)' }, []],
      [{ text: 'words:valor', cnpj: '00000000000191' }, []],
      [{ text: "valor'); DROP TABLE jobs --" }, []],
      [{ text: 'valor\u0000pao' }, [10, 8, 6, 4, 2]],
      [{ text: '中文 😀 NOT' }, []],
      [{ text: 'v'.repeat(200) }, []],
      [{ text: 'nowhere' }, []],
    ])('lists and counts %j, newest first', async (filter, expected) => {
      const found = await store.list(filter, { limit: 100 })
      expect(found.map((job) => job.n)).toEqual(expected)
      expect(await store.count(filter, 100)).toBe(expected.length)
      const backwards = await store.list(filter, { limit: 100, fromEnd: true })
      expect(backwards.map((job) => job.n)).toEqual(expected)
      expect((await store.search(filter, { limit: 100 })).jobs.map((job) => job.n)).toEqual(expected)
      expect(await store.tally(filter, 100)).toEqual({ count: expected.length, isExact: true })
    })

    it('reads of a search no more than is asked for', async () => {
      const filter = { ns: [2] }
      const [whole] = await store.list(filter, { limit: 1 })
      const read = async (wanted?: Wanted) => store.search(filter, { limit: 1 }, wanted)
      const nothingElse = { attempts: new Map(), tenants: new Map(), reached: null }
      expect(await read()).toEqual({ ...nothingElse, jobs: [whole] })
      expect(await read({ job: [] })).toEqual({ ...nothingElse, jobs: [{ n: 2 }] })
      const { failure, headers, journalId } = whole ?? {}
      expect(failure?.error).toBe('ECONNREFUSED by host 2')
      expect(await read({ job: ['failure', 'n', 'headers', 'journalId'] })).toEqual({
        ...nothingElse,
        jobs: [{ n: 2, failure, headers, journalId }],
      })
      const { number, timing } = sampleAttempt(1)
      expect(await read({ job: [], attempts: ['timing', 'number'] })).toEqual({
        ...nothingElse,
        jobs: [{ n: 2 }],
        attempts: new Map([[2, [{ number, timing }]]]),
      })
    })

    it('reads with a search the attempts and the tenants of its jobs, and of no others', async () => {
      const tenant = tenantRow('12ABC34501DE35')
      for (const one of [tenant, tenantRow('54550752000155')])
        await opened.tenants.create(one, tokenRow(one.cnpj, `hash of ${one.cnpj}`))
      const wanted = { job: [], attempts: ['number'], tenants: true } as const
      const { jobs, attempts, tenants } = await store.search({}, { limit: 6 }, wanted)
      expect(jobs.map(({ n }) => n)).toEqual([10, 9, 8, 7, 6, 5])
      const first = { number: 1 }
      expect(attempts).toEqual(new Map(jobs.map(({ n }) => [n, [first]])))
      // Of the other one, which job 5 has, there is nothing left.
      expect(tenants).toEqual(new Map([[tenant.cnpj, tenant]]))
      const none = await store.search({ ns: [] }, { limit: 6 }, wanted)
      expect(none).toEqual({ jobs: [], attempts: new Map(), tenants: new Map(), reached: null })
    })

    it('ends a search that would take too long where it is, and goes on from there', async () => {
      const filter: JobsFilter = { text: 'valor', statuses: ['FAILED'] }
      const newest = await narrow.search(filter, { limit: 5 })
      expect(newest.jobs.map(({ n }) => n)).toContain(10)
      expect(newest.reached).not.toBeNull()
      const seen = newest.jobs.map(({ n }) => n)
      for (let { reached } = newest; reached !== null; ) {
        const next = await narrow.search(filter, { limit: 5, after: reached })
        seen.push(...next.jobs.map(({ n }) => n))
        reached = next.reached
      }
      expect(seen).toEqual([10, 6, 2])
      const fromEnd = await narrow.search(filter, { limit: 5, fromEnd: true })
      expect(fromEnd.jobs.map(({ n }) => n)).toContain(2)
      expect(fromEnd.reached).not.toBeNull()
      const { count, isExact } = await narrow.tally(filter, 100)
      expect(isExact).toBe(false)
      expect(count).toBeLessThan(3)
      expect((await narrow.list(filter, { limit: 5 })).map(({ n }) => n)).toEqual([10, 6, 2])
      expect(await narrow.count(filter, 100)).toBe(3)
    })

    it.each<[JobsPage, number[]]>([
      [{ limit: 3 }, [10, 9, 8]],
      [{ limit: 3, after: 8 }, [7, 6, 5]],
      [{ limit: 3, before: 8 }, [10, 9]],
      [{ limit: 2, before: 5, fromEnd: true }, [7, 6]],
      [{ limit: 3, fromEnd: true }, [3, 2, 1]],
      [{ limit: 9, after: 6, before: 3 }, [5, 4]],
    ])('cuts the page %j out of the list, also of a filtered one', async (page, expected) => {
      const all: JobsFilter = { statuses: ['DELIVERED', 'FAILED', 'QUEUED', 'DISCARDED'] }
      for (const filter of [{}, all]) {
        const found = await store.list(filter, page)
        expect(found.map((job) => job.n)).toEqual(expected)
      }
    })

    it('counts no further than asked', async () => {
      expect(await store.count({}, 4)).toBe(4)
      expect(await store.count({ statuses: ['FAILED', 'DELIVERED'] }, 4)).toBe(4)
    })
  })
}
