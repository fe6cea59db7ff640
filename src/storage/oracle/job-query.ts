import type { JobsFilter, JobsPage } from '../../history/history-store.ts'
import { type Condition, inList } from '../in-list.ts'
import { jobColumns } from '../job-row.ts'
import type { Binds } from '../sql.ts'

export type Query = { sql: string; binds: Binds }

/** Characters that the column `queue` holds. */
export const maxQueueLength = 255

/**
 * The list, at most `page.limit`, in the order in which the page is cut (`fromEnd`: oldest first). Numbers come first, at most
 * `limit` of each status and each time from the end of an index; only what is left of them is read whole.
 */
export function listQuery(filter: JobsFilter, page: JobsPage): Query {
  const order = `ORDER BY n ${page.fromEnd ? 'ASC' : 'DESC'}`
  const common = [...commonConditions(filter), ...rangeConditions(page)]
  const statuses = filter.statuses ? [...new Set(filter.statuses)] : [undefined]
  const selects = statuses.map((status, at) => {
    const own = status === undefined ? [] : [equal('status', `status${at}`, status)]
    const { sql } = allOf([...common, ...own])
    return `SELECT n FROM (SELECT n FROM jobs${sql} ${order} FETCH FIRST :limit ROWS ONLY)`
  })
  const statusBinds = statuses.flatMap((status, at) =>
    status === undefined ? [] : [[`status${at}`, status] as const],
  )
  if (selects.length === 0) return { sql: `SELECT ${jobColumns.join(', ')} FROM jobs WHERE 1 = 0`, binds: {} }
  return {
    sql: `SELECT ${jobColumns.join(', ')} FROM jobs WHERE n IN (
      SELECT n FROM (${selects.join(' UNION ALL ')}) ${order} FETCH FIRST :limit ROWS ONLY) ${order}`,
    binds: { ...allOf(common).binds, ...Object.fromEntries(statusBinds), limit: page.limit },
  }
}

/** One row with the column `counted`, at most `limit`. */
export function countQuery(filter: JobsFilter, limit: number): Query {
  const statuses = filter.statuses ? [inList('status', 'status', filter.statuses)] : []
  const { sql, binds } = allOf([...commonConditions(filter), ...statuses])
  return {
    sql: `SELECT count(*) AS counted FROM (SELECT n FROM jobs${sql} FETCH FIRST :limit ROWS ONLY)`,
    binds: { ...binds, limit },
  }
}

function allOf(conditions: readonly Condition[]): Condition {
  const sql = conditions.map((condition) => condition.sql).join(' AND ')
  return { sql: sql && ` WHERE ${sql}`, binds: Object.assign({}, ...conditions.map(({ binds }) => binds)) }
}

const equal = (column: string, name: string, value: string): Condition => ({
  sql: `${column} = :${name}`,
  binds: { [name]: value },
})

function commonConditions({ ns, cnpj, queue }: JobsFilter): Condition[] {
  return [
    ...(ns ? [inList('n', 'n', ns)] : []),
    ...(cnpj === undefined ? [] : [equal('cnpj', 'cnpj', cnpj)]),
    ...(queue === undefined ? [] : [queueCondition(queue)]),
  ]
}

/** The server refuses to compare with a text that is longer than any column. */
const queueCondition = (queue: string): Condition =>
  queue.length > maxQueueLength ? { sql: '1 = 0', binds: {} } : equal('queue', 'queue', queue)

function rangeConditions({ after, before }: JobsPage): Condition[] {
  return [
    ...(after === undefined ? [] : [{ sql: 'n < :after', binds: { after } }]),
    ...(before === undefined ? [] : [{ sql: 'n > :before', binds: { before } }]),
  ]
}
