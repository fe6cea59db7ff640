import { DatabaseSync } from 'node:sqlite'
import { openSqlite } from '../../src/storage/sqlite/database.ts'
import { migrate } from '../../src/storage/sqlite/migrations.ts'
import { addWordsOfTables } from '../../src/storage/sqlite/search-schema.ts'

/** When the first job of a seeded history was received; the others follow one second apart. */
const seededFrom = 1_800_000_000_000
/** A tenant with three fifths of all seeded jobs. */
export const busyTenant = '11222333000181'
const jobsAtOnce = 50_000

// Ids, tenants and texts follow from the number, so that every history of one size is the same: 6 % failed, 2 % retrying, the rest
// delivered; four fifths of them in one of five queues; 20 event types, 200 destinations, 400 further tenants.
const numbered = `WITH RECURSIVE seeded (n) AS (SELECT CAST(:first AS INTEGER) UNION ALL SELECT n + 1 FROM seeded WHERE n < :last)`
const status = `CASE WHEN n % 50 IN (7, 23, 41) THEN 'FAILED' WHEN n % 50 = 11 THEN 'RETRYING' ELSE 'DELIVERED' END`
const insertJobs = `${numbered} INSERT INTO jobs (n, event_id, cnpj, destination, queue, event_type, correlation_id, content_type,
    headers, received_at, status, round, attempts, updated_at, next_attempt_at, delivered_at, requeued_at, failure, reported, journal)
  SELECT n, 'event-' || n, CASE WHEN n % 5 < 3 THEN '${busyTenant}' ELSE printf('%014d', n % 400) END,
    'dst_' || (n * 7 % 200), CASE WHEN n % 5 = 4 THEN 'queue-' || (n / 5 % 4) ELSE 'nifi' END, 'order.type-' || (n % 20),
    NULL, 'application/json', '{"content-type":"application/json","user-agent":"a sender of events/1.0"}',
    ${seededFrom} + n * 1000, ${status}, 0, 1, ${seededFrom} + n * 1000 + 40, NULL, ${seededFrom} + n * 1000 + 40, NULL,
    CASE WHEN ${status} = 'FAILED' THEN '{"reason":"EXHAUSTED","error":"connect ECONNREFUSED 10.0.0.' || (n % 250)
      || '","statusCode":null,"responseExcerpt":null,"attempts":11,"firstAttemptAt":1,"lastAttemptAt":2,"failedAt":3}' END,
    NULL, printf('%016d-%020d', ${seededFrom} + n * 1000, 0)
  FROM seeded`
const insertBodies = `${numbered} INSERT INTO job_bodies (n, body)
  SELECT n, CAST('{"order":' || n || ',"customer":"customer ' || (n % 5000) || '","note":"pedido da padaria ' || (n * 7919 % 100003)
    || CASE WHEN n % 7 = 0 THEN ' atrasado' ELSE ' em dia' END || '","items":[{"sku":"S' || (n % 997) || '","quantity":2}]}' AS BLOB)
  FROM seeded`
const insertWords = `${addWordsOfTables} WHERE n BETWEEN :first AND :last`
const insertAttempts = `${numbered} INSERT INTO attempts (n, attempt_number, round, started_at, outcome, status_code, error,
    request_headers, response_headers, response_body, timing)
  SELECT n, 1, 0, ${seededFrom} + n * 1000, 'DELIVERED', 200, NULL, '{}', '{}', 'ok', '{"totalMs":40}' FROM seeded`

/** Fills a new SQLite history with jobs 1 to `count`, the way the projector would have: some 25 µs each. */
export async function seedHistory(path: string, count: number, { attempts = false } = {}): Promise<void> {
  const opened = openSqlite({ path })
  await migrate(opened)
  await opened.close()
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000')
  for (let first = 1; first <= count; first += jobsAtOnce) {
    const binds = { first, last: Math.min(first + jobsAtOnce - 1, count) }
    database.exec('BEGIN')
    for (const sql of [insertJobs, insertBodies, insertWords, ...(attempts ? [insertAttempts] : [])])
      database.prepare(sql).run(binds)
    database.exec('COMMIT')
  }
  database.prepare('UPDATE history_meta SET highest = :count').run({ count })
  database.close()
}
