import type { Use } from '../tenants/last-uses.ts'
import type { SchemeName } from '../tenants/sources/schemes.ts'
import type { StoredSource } from '../tenants/sources/source.ts'
import type { SourceStore } from '../tenants/sources/source-store.ts'
import { readByList } from './in-list.ts'
import { brokenConstraintAs, type Row, type SqlDatabase } from './sql.ts'
import { timeOf } from './tenant-row.ts'

const columns = 'id, cnpj, name, scheme, options, secrets, created_at, last_used_at'
const select = `SELECT ${columns} FROM tenant_sources`

/** Sources in any of the databases: none of these statements needs a dialect. The caller opens and closes the database. */
export class SqlSourceStore implements SourceStore {
  readonly #database: SqlDatabase

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  async create({ options, createdAt, lastUsedAt, ...source }: StoredSource): Promise<void> {
    const sql = `INSERT INTO tenant_sources (${columns})
      VALUES (:id, :cnpj, :name, :scheme, :options, :secrets, :created_at, :last_used_at)`
    const times = { created_at: createdAt, last_used_at: lastUsedAt }
    await this.#database
      .run(sql, { ...source, ...times, options: JSON.stringify(options) })
      .catch(brokenConstraintAs('TENANT_NOT_FOUND'))
  }

  async byId(id: string): Promise<StoredSource | null> {
    const [row] = await this.#database.all(`${select} WHERE id = :id`, { id })
    return row ? sourceOfRow(row) : null
  }

  async ofTenants(cnpjs: readonly string[]): Promise<StoredSource[]> {
    const oldest = (ofTenants: string) => `SELECT ${columns} FROM (SELECT ${columns},
      row_number() OVER (PARTITION BY cnpj ORDER BY created_at, id) AS place FROM tenant_sources WHERE ${ofTenants}) oldest
      WHERE place <= 100 ORDER BY created_at, id`
    const rows = await readByList('cnpj', cnpjs, ({ sql, binds }) => this.#database.all(oldest(sql), binds))
    return rows.map(sourceOfRow)
  }

  async all() {
    const sql = `SELECT ${columns}, secrets_version FROM tenant_sources ORDER BY id`
    const rows = await this.#database.all(sql)
    return rows.map((row) => ({ ...sourceOfRow(row), secretsVersion: Number(row.secrets_version) }))
  }

  async setSecrets(id: string, secrets: string, version?: number): Promise<boolean> {
    const update =
      'UPDATE tenant_sources SET secrets = :secrets, secrets_version = secrets_version + 1 WHERE id = :id'
    const changed =
      version === undefined
        ? await this.#database.run(update, { id, secrets })
        : await this.#database.run(`${update} AND secrets_version = :version`, { id, secrets, version })
    return changed === 1
  }

  async touch(uses: readonly Use[]): Promise<void> {
    const sql =
      'UPDATE tenant_sources SET last_used_at = :at WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :at)'
    await this.#database.transaction([{ sql, rows: uses }])
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#database.run('DELETE FROM tenant_sources WHERE id = :id', { id })) === 1
  }
}

function sourceOfRow(row: Row): StoredSource {
  return {
    id: String(row.id),
    cnpj: String(row.cnpj),
    name: String(row.name),
    scheme: String(row.scheme) as SchemeName,
    options: JSON.parse(String(row.options)),
    secrets: String(row.secrets),
    createdAt: Number(row.created_at),
    lastUsedAt: timeOf(row.last_used_at),
  }
}
