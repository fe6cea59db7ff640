import type { JobsFilter, JobsPage } from '../../history/history-store.ts'
import { jobColumns } from '../job-row.ts'
import type { Binds } from '../sql.ts'

export type Query = { sql: string; binds: Binds }

/**
 * The list, at most `page.limit`, in the order in which the page is cut (`fromEnd`: oldest first). One SELECT for each status,
 * because SQLite merges those lazily along their indexes, while `status IN (…)` makes it sort every match.
 */
export function listQuery(filter: JobsFilter, page: JobsPage): Query {
  const range = {
    ...(page.after === undefined ? {} : { after: page.after }),
    ...(page.before === undefined ? {} : { before: page.before }),
  }
  const statuses = filter.statuses?.length ? [...new Set(filter.statuses)] : [undefined]
  const conditions = [
    ...commonConditions(filter),
    ...(filter.statuses?.length === 0 ? ['1 = 0'] : []),
    ...('after' in range ? ['n < :after'] : []),
    ...('before' in range ? ['n > :before'] : []),
  ]
  const selects = statuses.map((status, at) =>
    select(
      jobColumns.join(', '),
      status === undefined ? conditions : [...conditions, `status = :status${at}`],
    ),
  )
  const sql = `${selects.join(' UNION ALL ')} ORDER BY n ${page.fromEnd ? 'ASC' : 'DESC'} LIMIT :limit`
  return { sql, binds: { ...commonBinds(filter), ...range, ...statusBinds(statuses), limit: page.limit } }
}

/** One row with the column `counted`, at most `limit`. */
export function countQuery(filter: JobsFilter, limit: number): Query {
  const statuses = filter.statuses ? ['status IN (SELECT value FROM json_each(:statuses))'] : []
  const matches = select('1', [...commonConditions(filter), ...statuses])
  return {
    sql: `SELECT count(*) AS counted FROM (${matches} LIMIT :limit)`,
    binds: {
      ...commonBinds(filter),
      ...(filter.statuses ? { statuses: JSON.stringify(filter.statuses) } : {}),
      limit,
    },
  }
}

const select = (what: string, conditions: readonly string[]) =>
  `SELECT ${what} FROM jobs${conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''}`

function commonConditions({ ns, cnpj, queue, statuses }: JobsFilter): string[] {
  // Few queues hold most jobs, so their index is the last choice; `+` keeps SQLite from it.
  const column = cnpj === undefined && !statuses ? 'queue' : '+queue'
  return [
    ...(ns ? ['n IN (SELECT value FROM json_each(:ns))'] : []),
    ...(cnpj === undefined ? [] : ['cnpj = :cnpj']),
    ...(queue === undefined ? [] : [`${column} = :queue`]),
  ]
}

function commonBinds({ ns, cnpj, queue }: JobsFilter): Binds {
  return {
    ...(ns ? { ns: JSON.stringify(ns) } : {}),
    ...(cnpj === undefined ? {} : { cnpj }),
    ...(queue === undefined ? {} : { queue }),
  }
}

function statusBinds(statuses: readonly (string | undefined)[]): Binds {
  return Object.fromEntries(
    statuses.flatMap((status, at) => (status === undefined ? [] : [[`status${at}`, status]])),
  )
}
