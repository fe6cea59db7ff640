import { randomUUID } from 'node:crypto'
import { type Binds, ConstraintError, type SqlDatabase } from '../sql.ts'
import { maxQueueLength } from './job-query.ts'
import { isAlreadyThere, isNotThere } from './oracle-error.ts'

/** One statement, because Oracle commits before and after each DDL by itself. Harmless to repeat. */
type Step = { sql: string; binds?: Binds }
type Migration = { version: number; name: string; steps: () => Step[] }

const ddl = (sql: string): Step => ({ sql })

// Text that a caller can make long is a CLOB: Oracle keeps short ones in the row, and a VARCHAR2 that is too narrow would refuse
// the row, and with it everything behind it.
const createTenants = `
  CREATE TABLE tenants (
    cnpj VARCHAR2(14 CHAR) PRIMARY KEY,
    name CLOB NOT NULL,
    active NUMBER(1) NOT NULL,
    settings CLOB NOT NULL,
    settings_version NUMBER(10) DEFAULT 0 NOT NULL,
    search CLOB NOT NULL,
    created_at NUMBER(16) NOT NULL,
    updated_at NUMBER(16) NOT NULL
  )`

const createTenantTokens = `
  CREATE TABLE tenant_tokens (
    id VARCHAR2(64 CHAR) PRIMARY KEY,
    cnpj VARCHAR2(14 CHAR) NOT NULL REFERENCES tenants (cnpj) ON DELETE CASCADE,
    name CLOB NOT NULL,
    prefix VARCHAR2(64 CHAR) NOT NULL,
    hash VARCHAR2(128 CHAR) NOT NULL UNIQUE,
    encrypted CLOB NOT NULL,
    created_at NUMBER(16) NOT NULL,
    expires_at NUMBER(16),
    last_used_at NUMBER(16),
    revoked_at NUMBER(16)
  )`

const createTenantSources = `
  CREATE TABLE tenant_sources (
    id VARCHAR2(64 CHAR) PRIMARY KEY,
    cnpj VARCHAR2(14 CHAR) NOT NULL REFERENCES tenants (cnpj) ON DELETE CASCADE,
    name CLOB NOT NULL,
    scheme VARCHAR2(64 CHAR) NOT NULL,
    options CLOB NOT NULL,
    secrets CLOB NOT NULL,
    secrets_version NUMBER(10) DEFAULT 0 NOT NULL,
    created_at NUMBER(16) NOT NULL
  )`

const createDestinations = `
  CREATE TABLE destinations (
    id VARCHAR2(64 CHAR) PRIMARY KEY,
    cnpj VARCHAR2(14 CHAR) REFERENCES tenants (cnpj) ON DELETE CASCADE,
    name CLOB NOT NULL,
    url CLOB NOT NULL,
    queue VARCHAR2(64 CHAR) NOT NULL,
    active NUMBER(1) NOT NULL,
    settings CLOB NOT NULL,
    secrets CLOB NOT NULL,
    created_at NUMBER(16) NOT NULL,
    updated_at NUMBER(16) NOT NULL,
    version NUMBER(10) NOT NULL
  )`

const createJobs = `
  CREATE TABLE jobs (
    n NUMBER(16) PRIMARY KEY,
    event_id VARCHAR2(128 CHAR) NOT NULL,
    cnpj VARCHAR2(14 CHAR) NOT NULL,
    destination VARCHAR2(255 CHAR) NOT NULL,
    queue VARCHAR2(${maxQueueLength} CHAR) NOT NULL,
    event_type VARCHAR2(255 CHAR),
    correlation_id VARCHAR2(255 CHAR),
    content_type CLOB,
    headers CLOB NOT NULL,
    received_at NUMBER(16) NOT NULL,
    status VARCHAR2(16 CHAR) NOT NULL,
    round NUMBER(10) NOT NULL,
    attempts NUMBER(10) NOT NULL,
    updated_at NUMBER(16) NOT NULL,
    next_attempt_at NUMBER(16),
    delivered_at NUMBER(16),
    requeued_at NUMBER(16),
    failure CLOB,
    reported CLOB,
    journal VARCHAR2(40 CHAR) NOT NULL
  )`

/** An empty body is NULL, which is what Oracle makes of it. */
const createBodies = `
  CREATE TABLE job_bodies (
    n NUMBER(16) PRIMARY KEY REFERENCES jobs (n) ON DELETE CASCADE,
    body BLOB
  )`

const createAttempts = `
  CREATE TABLE attempts (
    n NUMBER(16) NOT NULL REFERENCES jobs (n) ON DELETE CASCADE,
    attempt_number NUMBER(10) NOT NULL,
    round NUMBER(10) NOT NULL,
    started_at NUMBER(16) NOT NULL,
    outcome VARCHAR2(16 CHAR) NOT NULL,
    status_code NUMBER(10),
    error CLOB,
    request_headers CLOB NOT NULL,
    response_headers CLOB,
    response_body CLOB,
    timing VARCHAR2(1000 CHAR) NOT NULL,
    PRIMARY KEY (n, attempt_number)
  )`

const createRounds = `
  CREATE TABLE job_rounds (
    n NUMBER(16) NOT NULL REFERENCES jobs (n) ON DELETE CASCADE,
    round NUMBER(10) NOT NULL,
    started_at NUMBER(16) NOT NULL,
    previous VARCHAR2(16 CHAR) NOT NULL,
    requested CLOB NOT NULL,
    PRIMARY KEY (n, round)
  )`

const createMeta = `
  CREATE TABLE history_meta (
    one_row NUMBER(1) PRIMARY KEY CHECK (one_row = 1),
    id VARCHAR2(64 CHAR) NOT NULL,
    highest NUMBER(16) NOT NULL,
    epoch VARCHAR2(128 CHAR),
    journal VARCHAR2(40 CHAR)
  )`

const createStats = `
  CREATE TABLE job_stats (
    span_ms NUMBER(10) NOT NULL,
    begins_at NUMBER(16) NOT NULL,
    cnpj VARCHAR2(14 CHAR) NOT NULL,
    queue VARCHAR2(${maxQueueLength} CHAR) NOT NULL,
    destination VARCHAR2(255 CHAR) NOT NULL,
    received NUMBER(16) NOT NULL,
    delivered NUMBER(16) NOT NULL,
    failed NUMBER(16) NOT NULL,
    retried NUMBER(16) NOT NULL,
    requeued NUMBER(16) NOT NULL,
    discarded NUMBER(16) NOT NULL,
    PRIMARY KEY (span_ms, begins_at, cnpj, queue, destination)
  )`

const createLatencies = `
  CREATE TABLE job_latencies (
    span_ms NUMBER(10) NOT NULL,
    begins_at NUMBER(16) NOT NULL,
    cnpj VARCHAR2(14 CHAR) NOT NULL,
    queue VARCHAR2(${maxQueueLength} CHAR) NOT NULL,
    destination VARCHAR2(255 CHAR) NOT NULL,
    latency NUMBER(10) NOT NULL,
    jobs NUMBER(16) NOT NULL,
    PRIMARY KEY (span_ms, begins_at, cnpj, queue, destination, latency)
  )`

/** Whoever comes first names the database. */
const nameHistory = (): Step => ({
  sql: `MERGE INTO history_meta USING dual ON (history_meta.one_row = 1)
    WHEN NOT MATCHED THEN INSERT (one_row, id, highest) VALUES (1, :id, 0)`,
  binds: { id: randomUUID() },
})

/** Append only: what has run anywhere is never changed. */
const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'tenants and their tokens',
    steps: () => [
      ddl(createTenants),
      ddl(createTenantTokens),
      ddl('CREATE INDEX tenant_tokens_by_cnpj ON tenant_tokens (cnpj)'),
    ],
  },
  {
    version: 2,
    name: 'history',
    steps: () => [
      ddl(createJobs),
      ddl('CREATE INDEX jobs_by_cnpj ON jobs (cnpj, n)'),
      ddl('CREATE INDEX jobs_by_cnpj_status ON jobs (cnpj, status, n)'),
      ddl('CREATE INDEX jobs_by_queue ON jobs (queue, n)'),
      ddl('CREATE INDEX jobs_by_status ON jobs (status, n)'),
      ddl('CREATE INDEX jobs_finished ON jobs (status, updated_at)'),
      ddl(createBodies),
      ddl(createAttempts),
      ddl(createMeta),
      nameHistory(),
    ],
  },
  {
    version: 3,
    name: 'sources',
    steps: () => [
      ddl(createTenantSources),
      ddl('CREATE INDEX tenant_sources_by_cnpj ON tenant_sources (cnpj)'),
    ],
  },
  {
    version: 4,
    name: 'destinations',
    steps: () => [
      ddl(createDestinations),
      ddl('CREATE INDEX destinations_by_cnpj ON destinations (cnpj, id)'),
    ],
  },
  {
    version: 5,
    name: 'last use of sources',
    steps: () => [ddl('ALTER TABLE tenant_sources ADD last_used_at NUMBER(16)')],
  },
  {
    version: 7,
    name: 'filters, search and rounds of jobs',
    steps: () => [
      ddl('CREATE INDEX jobs_by_queue_status ON jobs (queue, status, n)'),
      ddl('CREATE INDEX jobs_by_destination_status ON jobs (destination, status, n)'),
      ddl('CREATE INDEX jobs_by_event_type_status ON jobs (event_type, status, n)'),
      ddl('CREATE INDEX jobs_by_receipt ON jobs (received_at, n)'),
      ddl('ALTER TABLE jobs ADD error_words CLOB'),
      ddl('ALTER TABLE job_bodies ADD words CLOB'),
      ddl(createRounds),
    ],
  },
  {
    version: 8,
    name: 'statistics',
    steps: () => [
      ddl(createStats),
      ddl('CREATE INDEX job_stats_by_cnpj ON job_stats (cnpj, span_ms, begins_at)'),
      ddl(createLatencies),
      ddl('CREATE INDEX job_latencies_by_cnpj ON job_latencies (cnpj, span_ms, begins_at)'),
      ddl('ALTER TABLE history_meta ADD last_batch VARCHAR2(64 CHAR)'),
    ],
  },
]

const createVersions = `
  CREATE TABLE schema_migrations (
    version NUMBER(10) PRIMARY KEY,
    name VARCHAR2(255 CHAR) NOT NULL,
    applied_at NUMBER(16) NOT NULL
  )`

/** The schema that this version of Gancho works on. */
export const newestVersion = Math.max(...migrations.map(({ version }) => version))

/**
 * Brings the schema up to date. Harmless to repeat, and safe when several processes start at once or one stops half way: each step
 * is there or is made, and a version counts as applied once all its steps are.
 */
export async function migrate(database: SqlDatabase, now: () => number = Date.now): Promise<void> {
  const applied = await appliedVersions(database)
  for (const { version, name, steps } of migrations) {
    if (applied.has(version)) continue
    for (const step of steps()) await carryOut(database, step)
    await carryOut(database, {
      sql: 'INSERT INTO schema_migrations (version, name, applied_at) VALUES (:version, :name, :now)',
      binds: { version, name, now: now() },
    })
  }
}

/** Asked before anything is made, so that an account without the right to make tables may start on a schema that is up to date. */
async function appliedVersions(database: SqlDatabase): Promise<Set<number>> {
  try {
    const rows = await database.all('SELECT version FROM schema_migrations')
    return new Set(rows.map(({ version }) => Number(version)))
  } catch (error) {
    if (!isNotThere(error)) throw error
    await carryOut(database, ddl(createVersions))
    return new Set()
  }
}

/** Another process that was a moment earlier shows as a name that is taken, or as a key that is there. */
async function carryOut(database: SqlDatabase, { sql, binds }: Step): Promise<void> {
  try {
    await database.run(sql, binds)
  } catch (error) {
    if (!isAlreadyThere(error) && !(error instanceof ConstraintError)) throw error
  }
}
