import { GanchoError } from '../errors.ts'
import type { SchemeName } from '../tenants/sources/schemes.ts'
import type { StoredSource } from '../tenants/sources/source.ts'
import type { SourceStore } from '../tenants/sources/source-store.ts'
import { ConstraintError, type Row, type SqlDatabase } from './sql.ts'

const columns = 'id, cnpj, name, scheme, options, secrets, created_at'
const select = `SELECT ${columns} FROM tenant_sources`

/** Sources in any of the databases: none of these statements needs a dialect. The caller opens and closes the database. */
export class SqlSourceStore implements SourceStore {
  readonly #database: SqlDatabase

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  async create({ options, createdAt, ...source }: StoredSource): Promise<void> {
    const sql = `INSERT INTO tenant_sources (${columns})
      VALUES (:id, :cnpj, :name, :scheme, :options, :secrets, :created_at)`
    try {
      await this.#database.run(sql, { ...source, options: JSON.stringify(options), created_at: createdAt })
    } catch (error) {
      if (!(error instanceof ConstraintError)) throw error
      throw new GanchoError('TENANT_NOT_FOUND', undefined, { cause: error })
    }
  }

  async byId(id: string): Promise<StoredSource | null> {
    const [row] = await this.#database.all(`${select} WHERE id = :id`, { id })
    return row ? sourceOfRow(row) : null
  }

  async ofTenant(cnpj: string): Promise<StoredSource[]> {
    const sql = `${select} WHERE cnpj = :cnpj ORDER BY created_at, id`
    return (await this.#database.all(sql, { cnpj })).slice(0, 100).map(sourceOfRow)
  }

  async all(): Promise<StoredSource[]> {
    return (await this.#database.all(`${select} ORDER BY id`)).map(sourceOfRow)
  }

  async setSecrets(id: string, secrets: string): Promise<boolean> {
    const sql = 'UPDATE tenant_sources SET secrets = :secrets WHERE id = :id'
    return (await this.#database.run(sql, { id, secrets })) === 1
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
  }
}
