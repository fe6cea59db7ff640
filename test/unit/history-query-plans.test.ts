import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobsFilter, JobsPage } from '../../src/history/history-store.ts'
import { openSqlite } from '../../src/storage/sqlite/database.ts'
import { jobsWithNumbers, removeFinished } from '../../src/storage/sqlite/history-store.ts'
import { matching } from '../../src/storage/sqlite/job-query.ts'
import { migrate } from '../../src/storage/sqlite/migrations.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let database: DatabaseSync

beforeAll(async () => {
  folder = await temporaryFolder()
  const path = `${folder.path}/plans.sqlite`
  const opened = openSqlite({ path })
  await migrate(opened)
  await opened.close()
  database = new DatabaseSync(path)
})
afterAll(async () => {
  database.close()
  await folder.remove()
})

const planOf = (sql: string) =>
  database
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map(({ detail }) => String(detail))

const statuses = ['FAILED', 'RETRYING'] as const
const times = { receivedFrom: 1, receivedTo: 2 }
const pages: JobsPage[] = [{ limit: 5 }, { limit: 5, after: 9, before: 2 }, { limit: 5, fromEnd: true }]

test.each<[JobsFilter, string]>([
  [{}, 'INTEGER PRIMARY KEY'],
  [times, 'INTEGER PRIMARY KEY'],
  [{ statuses }, 'jobs_by_status'],
  [{ statuses, ...times }, 'jobs_by_status'],
  [{ cnpj: 'x' }, 'jobs_by_cnpj_status'],
  [{ cnpj: 'x', statuses, ...times }, 'jobs_by_cnpj_status'],
  [{ queue: 'x' }, 'jobs_by_queue_status'],
  [{ queue: 'x', statuses }, 'jobs_by_queue_status'],
  [{ destination: 'x', ...times }, 'jobs_by_destination_status'],
  [{ destination: 'x', statuses }, 'jobs_by_destination_status'],
  [{ eventType: 'x' }, 'jobs_by_event_type_status'],
  [{ eventType: 'x', statuses }, 'jobs_by_event_type_status'],
  [{ text: 'x' }, 'job_words'],
  [{ cnpj: 'x', eventType: 'y' }, 'job_words'],
  [{ text: 'x', cnpj: 'x', queue: 'y', destination: 'z', eventType: 'w' }, 'job_words'],
])('a page of %j is read along %s, from its end, and nothing is sorted', (filter, index) => {
  for (const page of pages) {
    const { numbers, candidates } = matching(filter, page, 100)
    expect(candidates).toBeNull()
    const plan = planOf(numbers.sql)
    expect(plan.join('\n')).toContain(index)
    expect(plan.filter((line) => /TEMP B-TREE|SCAN jobs/.test(line))).toEqual([])
    // What it shows of its jobs is looked up by their numbers, once they are found.
    const [rows, ...rest] = planOf(jobsWithNumbers('SELECT n FROM jobs', numbers).sql)
    expect(rows).toBe('SEARCH jobs USING INTEGER PRIMARY KEY (rowid=?)')
    expect(rest.join('\n')).toContain(index)
    expect(rest.filter((line) => /TEMP B-TREE|SCAN jobs/.test(line))).toEqual([])
  }
})

test.each<JobsFilter>([
  { text: 'x', statuses },
  { text: 'x', cnpj: 'y', ...times },
  { cnpj: 'x', queue: 'y', statuses: ['DELIVERED', 'FAILED'], ...times },
  { cnpj: 'x', queue: 'y', statuses, ...times },
  { destination: 'x', queue: 'y', eventType: 'z', statuses },
])('a page of %j looks up as many candidates as it may, and scans no table', (filter) => {
  for (const page of pages) {
    const { numbers, candidates } = matching(filter, page, 100)
    for (const { sql, binds } of [numbers, candidates ?? numbers]) {
      expect(binds).toMatchObject({ candidates: 100 })
      expect(planOf(sql).filter((line) => /SCAN jobs/.test(line))).toEqual([])
    }
    // They are taken from the end of their index, and not out of all that there are.
    expect(planOf(candidates?.sql ?? '').filter((line) => /TEMP B-TREE/.test(line))).toEqual([])
  }
})

test('a status that few jobs have is looked up before the columns that many have', () => {
  const plan = planOf(matching({ cnpj: 'x', queue: 'y', statuses }, { limit: 5 }, 100).numbers.sql).join('\n')
  expect(plan).toContain('jobs_by_cnpj_status')
  expect(plan).not.toContain('job_words')
})

test('old jobs are found for their removal along the index of those that are finished', () => {
  const plan = planOf(removeFinished)
  expect(plan.join('\n')).toContain('jobs_finished')
  expect(
    plan.filter((line) =>
      /TEMP B-TREE FOR ORDER BY|SCAN (?!jobs USING COVERING INDEX jobs_finished)/.test(line),
    ),
  ).toEqual([])
})
