import { randomUUID } from 'node:crypto'
import { ConstraintError, type SqlDatabase, type Step } from '../sql.ts'
import { createRounds, dropBodyTrigger, listIndexes, wordIndexes } from './search-schema.ts'

type Migration = { version: number; name: string; steps: () => Step[] }

const ddl = (sql: string): Step => ({ sql, rows: [{}] })

const createTenants = `
  CREATE TABLE tenants (
    cnpj TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    active INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    encrypted_token TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`

const createJobs = `
  CREATE TABLE jobs (
    n INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    cnpj TEXT NOT NULL,
    destination TEXT NOT NULL,
    queue TEXT NOT NULL,
    event_type TEXT,
    correlation_id TEXT,
    content_type TEXT,
    headers TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    round INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    next_attempt_at INTEGER,
    delivered_at INTEGER,
    requeued_at INTEGER,
    failure TEXT,
    reported TEXT,
    journal TEXT NOT NULL
  ) STRICT`

const createBodies = `
  CREATE TABLE job_bodies (
    n INTEGER PRIMARY KEY REFERENCES jobs (n) ON DELETE CASCADE,
    body BLOB NOT NULL
  ) STRICT`

const createAttempts = `
  CREATE TABLE attempts (
    n INTEGER NOT NULL REFERENCES jobs (n) ON DELETE CASCADE,
    attempt_number INTEGER NOT NULL,
    round INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    status_code INTEGER,
    error TEXT,
    request_headers TEXT NOT NULL,
    response_headers TEXT,
    response_body TEXT,
    timing TEXT NOT NULL,
    PRIMARY KEY (n, attempt_number)
  ) STRICT`

const createMeta = `
  CREATE TABLE history_meta (
    one_row INTEGER PRIMARY KEY CHECK (one_row = 1),
    id TEXT NOT NULL,
    highest INTEGER NOT NULL,
    epoch TEXT,
    journal TEXT
  ) STRICT`

const createTenantsWithSettings = `
  CREATE TABLE tenants (
    cnpj TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    active INTEGER NOT NULL,
    settings TEXT NOT NULL,
    search TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`

const createTenantTokens = `
  CREATE TABLE tenant_tokens (
    id TEXT PRIMARY KEY,
    cnpj TEXT NOT NULL REFERENCES tenants (cnpj) ON DELETE CASCADE,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    encrypted TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
  ) STRICT`

const createTenantSources = `
  CREATE TABLE tenant_sources (
    id TEXT PRIMARY KEY,
    cnpj TEXT NOT NULL REFERENCES tenants (cnpj) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scheme TEXT NOT NULL,
    options TEXT NOT NULL,
    secrets TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT`

const createDestinations = `
  CREATE TABLE destinations (
    id TEXT PRIMARY KEY,
    cnpj TEXT REFERENCES tenants (cnpj) ON DELETE CASCADE,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    queue TEXT NOT NULL,
    active INTEGER NOT NULL,
    settings TEXT NOT NULL,
    secrets TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL
  ) STRICT`

const createStats = `
  CREATE TABLE job_stats (
    span_ms INTEGER NOT NULL,
    begins_at INTEGER NOT NULL,
    cnpj TEXT NOT NULL,
    queue TEXT NOT NULL,
    destination TEXT NOT NULL,
    received INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    retried INTEGER NOT NULL,
    requeued INTEGER NOT NULL,
    discarded INTEGER NOT NULL,
    PRIMARY KEY (span_ms, begins_at, cnpj, queue, destination)
  ) STRICT, WITHOUT ROWID`

const createLatencies = `
  CREATE TABLE job_latencies (
    span_ms INTEGER NOT NULL,
    begins_at INTEGER NOT NULL,
    cnpj TEXT NOT NULL,
    queue TEXT NOT NULL,
    destination TEXT NOT NULL,
    latency INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (span_ms, begins_at, cnpj, queue, destination, latency)
  ) STRICT, WITHOUT ROWID`

/** SQLite's own `lower` leaves letters outside ASCII alone. Of those, the ones that Portuguese and its neighbours write. */
const withoutAccents = [...'ÁÀÂÃÄÇÉÈÊËÍÌÎÏÑÓÒÔÕÖÚÙÛÜ'].reduce((sql, letter) => {
  const bare = letter.normalize('NFD').charAt(0).toLowerCase()
  return `replace(replace(${sql}, '${letter}', '${bare}'), '${letter.toLowerCase()}', '${bare}')`
}, 'lower(name)')

const moveTokensOut = [
  ddl('ALTER TABLE tenants RENAME TO tenants_before_tokens'),
  ddl(createTenantsWithSettings),
  ddl(`INSERT INTO tenants (cnpj, name, active, settings, search, created_at, updated_at)
    SELECT cnpj, name, active, '{}', ${withoutAccents} || ' ' || lower(cnpj), created_at, updated_at
    FROM tenants_before_tokens`),
  ddl(createTenantTokens),
  ddl('CREATE INDEX tenant_tokens_by_cnpj ON tenant_tokens (cnpj)'),
  ddl(`INSERT INTO tenant_tokens (id, cnpj, name, prefix, hash, encrypted, created_at)
    SELECT lower(hex(randomblob(16))), cnpj, 'first', 'gnt_', token_hash, encrypted_token, created_at
    FROM tenants_before_tokens`),
  ddl('DROP TABLE tenants_before_tokens'),
]

/** Append only: what has run anywhere is never changed. */
const migrations: readonly Migration[] = [
  { version: 1, name: 'tenants', steps: () => [ddl(createTenants)] },
  {
    version: 2,
    name: 'history',
    steps: () => [
      ddl(createJobs),
      // Every index ends in n by itself (the rowid), so each one lists newest first.
      ddl('CREATE INDEX jobs_by_cnpj ON jobs (cnpj)'),
      ddl('CREATE INDEX jobs_by_cnpj_status ON jobs (cnpj, status)'),
      ddl('CREATE INDEX jobs_by_queue ON jobs (queue)'),
      ddl('CREATE INDEX jobs_by_status ON jobs (status)'),
      ddl(
        "CREATE INDEX jobs_finished ON jobs (updated_at) WHERE status IN ('DELIVERED', 'FAILED', 'DISCARDED')",
      ),
      ddl(createBodies),
      ddl(createAttempts),
      ddl(createMeta),
      {
        sql: 'INSERT INTO history_meta (one_row, id, highest) VALUES (1, :id, 0)',
        rows: [{ id: randomUUID() }],
      },
    ],
  },
  { version: 3, name: 'tenant tokens and settings', steps: () => moveTokensOut },
  {
    version: 4,
    name: 'sources',
    steps: () => [
      ddl(createTenantSources),
      ddl('CREATE INDEX tenant_sources_by_cnpj ON tenant_sources (cnpj)'),
    ],
  },
  {
    version: 5,
    name: 'versions of settings and secrets',
    steps: () => [
      ddl('ALTER TABLE tenants ADD COLUMN settings_version INTEGER NOT NULL DEFAULT 0'),
      ddl('ALTER TABLE tenant_sources ADD COLUMN secrets_version INTEGER NOT NULL DEFAULT 0'),
    ],
  },
  {
    version: 6,
    name: 'destinations',
    steps: () => [
      ddl(createDestinations),
      ddl('CREATE INDEX destinations_by_cnpj ON destinations (cnpj, id)'),
    ],
  },
  {
    version: 7,
    name: 'last use of sources',
    steps: () => [ddl('ALTER TABLE tenant_sources ADD COLUMN last_used_at INTEGER')],
  },
  {
    version: 9,
    name: 'filters, search and rounds of jobs',
    steps: () => [...listIndexes, ...wordIndexes, createRounds],
  },
  {
    version: 10,
    name: 'statistics',
    steps: () => [
      ddl(createStats),
      ddl('CREATE INDEX job_stats_by_cnpj ON job_stats (cnpj, span_ms, begins_at)'),
      ddl(createLatencies),
      ddl('CREATE INDEX job_latencies_by_cnpj ON job_latencies (cnpj, span_ms, begins_at)'),
      ddl('ALTER TABLE history_meta ADD COLUMN last_batch TEXT'),
    ],
  },
  { version: 11, name: 'words of bodies without a trigger', steps: () => [dropBodyTrigger] },
]

/** The schema that this version of Gancho works on. */
export const newestVersion = Math.max(...migrations.map(({ version }) => version))

/**
 * Brings the schema up to date. Harmless to repeat, and safe when several processes start at once: each migration claims its
 * version in the transaction that carries it out, so it happens once or not at all.
 */
export async function migrate(database: SqlDatabase, now: () => number = Date.now): Promise<void> {
  await database.run(
    'CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT',
  )
  const applied = new Set(
    (await database.all('SELECT version FROM schema_migrations')).map((row) => row.version),
  )
  for (const migration of migrations)
    if (!applied.has(migration.version)) await apply(database, migration, now())
}

async function apply(database: SqlDatabase, { version, name, steps }: Migration, now: number): Promise<void> {
  const claim = {
    sql: 'INSERT INTO schema_migrations (version, name, applied_at) VALUES (:version, :name, :now)',
    rows: [{ version, name, now }],
  }
  try {
    await database.transaction([claim, ...steps()])
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error
    const [claimed] = await database.all('SELECT version FROM schema_migrations WHERE version = :version', {
      version,
    })
    if (!claimed) throw error
  }
}
