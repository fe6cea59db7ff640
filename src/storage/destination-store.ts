import type { StoredDestination } from '../delivery/destination.ts'
import type { DestinationStore, DestinationsFilter, DestinationsPage } from '../delivery/destination-store.ts'
import { GanchoError } from '../errors.ts'
import { destinationBinds, destinationColumns, destinationOfRow } from './destination-row.ts'
import { type Binds, brokenConstraintAs, type LimitClause, type SqlDatabase, type Step } from './sql.ts'

const columns = destinationColumns.join(', ')
const places = destinationColumns.map((column) => `:${column}`).join(', ')
const changing = destinationColumns.filter((column) => !['id', 'cnpj', 'created_at'].includes(column))
const select = `SELECT ${columns} FROM destinations`

/** Destinations in any of the databases: only the end of a page is a matter of dialect. The caller opens and closes the database. */
export class SqlDestinationStore implements DestinationStore {
  readonly #database: SqlDatabase
  readonly #limit: LimitClause

  constructor(database: SqlDatabase, limit: LimitClause) {
    this.#database = database
    this.#limit = limit
  }

  async create(destination: StoredDestination, most: number): Promise<void> {
    const { cnpj } = destination
    const { condition, binds } = ownedBy(cnpj)
    // First, because its lock has a second one of the same tenant wait for this one, and count it.
    const lock: Step = {
      sql: 'UPDATE tenants SET updated_at = updated_at WHERE cnpj = :cnpj',
      rows: cnpj === null ? [] : [{ cnpj }],
    }
    const insert: Step = {
      sql: `INSERT INTO destinations (${columns}) SELECT ${places}
        FROM (SELECT count(*) AS held FROM destinations WHERE ${condition}) WHERE held < :most`,
      rows: [{ ...destinationBinds(destination), ...binds, most }],
    }
    const [, created] = await this.#database
      .transaction([lock, insert])
      .catch(brokenConstraintAs('TENANT_NOT_FOUND'))
    if (created !== 1) throw new GanchoError('TOO_MANY_DESTINATIONS')
  }

  async byId(id: string): Promise<StoredDestination | null> {
    const [row] = await this.#database.all(`${select} WHERE id = :id`, { id })
    return row ? destinationOfRow(row) : null
  }

  async list(page: DestinationsPage): Promise<StoredDestination[]> {
    const { limit, after, before, fromEnd = false, filter } = page
    const owner = owned(filter)
    const conditions = [
      ...(after === undefined ? [] : ['id > :after_id']),
      ...(before === undefined ? [] : ['id < :before_id']),
      ...(owner ? [owner.condition] : []),
    ]
    const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''
    const order = `ORDER BY id ${fromEnd ? 'DESC' : 'ASC'} ${this.#limit}`
    const binds = {
      limit,
      ...(after === undefined ? {} : { after_id: after }),
      ...(before === undefined ? {} : { before_id: before }),
      ...owner?.binds,
    }
    const rows = await this.#database.all(`${select}${where} ${order}`, binds)
    const destinations = rows.map(destinationOfRow)
    return fromEnd ? destinations.reverse() : destinations
  }

  async update(destination: StoredDestination): Promise<void> {
    const { id, version } = destination
    const { cnpj: _cnpj, created_at: _createdAt, ...binds } = destinationBinds(destination)
    const assignments = changing.map((column) => `${column} = :${column}`).join(', ')
    const sql = `UPDATE destinations SET ${assignments} WHERE id = :id AND version = :was`
    if ((await this.#database.run(sql, { ...binds, was: version - 1 })) === 1) return
    throw new GanchoError((await this.byId(id)) ? 'DESTINATION_CHANGED' : 'DESTINATION_NOT_FOUND')
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#database.run('DELETE FROM destinations WHERE id = :id', { id })) === 1
  }

  async reseal(id: string, version: number, secrets: string): Promise<boolean> {
    const sql = 'UPDATE destinations SET secrets = :secrets WHERE id = :id AND version = :version'
    return (await this.#database.run(sql, { id, version, secrets })) === 1
  }
}

const owned = (filter: DestinationsFilter | undefined) =>
  filter?.cnpj === undefined ? undefined : ownedBy(filter.cnpj)

function ownedBy(cnpj: string | null): { condition: string; binds: Binds } {
  if (cnpj === null) return { condition: 'cnpj IS NULL', binds: {} }
  return { condition: 'cnpj = :cnpj', binds: { cnpj } }
}
