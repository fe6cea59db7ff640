import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openSqliteStores } from '../../src/storage/open-stores.ts'
import { openSqlite } from '../../src/storage/sqlite/database.ts'
import { sampleJob, snapshot } from '../contract/sample-jobs.ts'
import { failed } from '../support/failures.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** Back to the schema from before jobs could be searched. */
const before = [
  ...['job_failed_when_added', 'job_error_changed', 'job_removed'].map((name) => `DROP TRIGGER ${name}`),
  ...['job_words', 'job_error_words', 'job_rounds'].map((name) => `DROP TABLE ${name}`),
  ...['queue_status', 'destination_status', 'event_type_status', 'receipt'].map(
    (name) => `DROP INDEX jobs_by_${name}`,
  ),
  'CREATE INDEX jobs_by_cnpj ON jobs (cnpj)',
  'CREATE INDEX jobs_by_queue ON jobs (queue)',
  'DELETE FROM schema_migrations WHERE version IN (9, 11)',
]

it('finds jobs by their words, values and failures that come from before there was a search', async () => {
  const folder = await temporaryFolder()
  onTestFinished(() => folder.remove())
  const path = join(folder.path, 'gancho.db')
  const old = await openSqliteStores({ path })
  const jobs = [
    snapshot(sampleJob(1, { eventType: 'pedido' }), [], Buffer.from('{"cliente":"Açaí"}')),
    snapshot(sampleJob(2, { status: 'FAILED', failure: failed }), [], Buffer.from('{}')),
  ]
  await old.history.record(jobs, { epoch: 'e', journalId: '1-0' })
  await old.close()
  const database = openSqlite({ path })
  for (const sql of before) await database.run(sql)
  await database.close()

  const { history, close } = await openSqliteStores({ path })
  onTestFinished(close)
  const find = async (filter: Parameters<typeof history.list>[0]) =>
    (await history.list(filter, { limit: 5 })).map(({ n }) => n)
  expect(await find({ text: 'acai' })).toEqual([1])
  expect(await find({ text: failed.reason })).toEqual([2])
  expect(await find({ cnpj: '12ABC34501DE35', eventType: 'pedido' })).toEqual([1])
  expect(await find({ queue: 'nifi' })).toEqual([2, 1])
})
