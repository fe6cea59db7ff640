import { jobStatuses } from '../../events/job.ts'
import { clockSlackMs, type JobsFilter, type JobsPage } from '../../history/history-store.ts'
import { searchWords } from '../../history/search-words.ts'
import { searchable } from '../../tenants/tenant-search.ts'
import { type Condition, inList } from '../in-list.ts'
import { sortableJournalId } from '../journal-order.ts'
import type { Matching } from '../matching.ts'
import type { Binds } from '../sql.ts'

/** Characters that the column `queue` holds. */
export const maxQueueLength = 255
/** Characters that the columns `destination` and `event_type` hold. */
const maxNameLength = 255

/** Columns that lists are filtered by, the most telling first, each with the length of its texts and an index with `status`. */
const keyColumns = [
  ['destination', 'destination', maxNameLength],
  ['cnpj', 'cnpj', 14],
  ['eventType', 'event_type', maxNameLength],
  ['queue', 'queue', maxQueueLength],
] as const satisfies readonly (readonly [keyof JobsFilter, string, number])[]

/**
 * Candidates come from the index of one column, at most as many of each status as are asked for; what else is asked of them is looked
 * up in their rows.
 */
export function matching(filter: JobsFilter, page: JobsPage, candidates: number): Matching {
  if (matchesNothing(filter))
    return { numbers: { sql: 'SELECT n FROM jobs WHERE 1 = 0', binds: {} }, candidates: null }
  const order = `ORDER BY n ${page.fromEnd ? 'ASC' : 'DESC'}`
  const given = keyColumns.flatMap(([name, column]) =>
    filter[name] === undefined ? [] : [equal(column, name, filter[name])],
  )
  const [key, ...otherKeys] = given
  const own = [
    ...(key ? [key] : []),
    ...(filter.ns ? [inList('n', 'n', filter.ns)] : []),
    ...rangeConditions(page),
    ...timeConditions(filter),
    ...changeConditions(filter),
  ]
  const rest = [...otherKeys, ...wordConditions(filter)]
  if (rest.length === 0) {
    const { sql, binds } = alongIndex(filter, own, order, ':limit')
    return { numbers: { sql, binds: { ...binds, limit: page.limit } }, candidates: null }
  }
  const found = alongIndex(filter, own, order, ':candidates')
  const { sql: where, binds } = allOf(rest)
  return {
    numbers: {
      sql: `SELECT n FROM jobs${where} AND n IN (${found.sql}) ${order} FETCH FIRST :limit ROWS ONLY`,
      binds: { ...found.binds, ...binds, candidates, limit: page.limit },
    },
    candidates: {
      sql: `SELECT count(*) AS looked, ${page.fromEnd ? 'max' : 'min'}(n) AS reached FROM (${found.sql})`,
      binds: { ...found.binds, candidates },
    },
  }
}

/** The server refuses to compare with a text that is longer than any column. */
const matchesNothing = (filter: JobsFilter) =>
  filter.ns?.length === 0 ||
  filter.statuses?.length === 0 ||
  (filter.text !== undefined && searchWords(filter.text).length === 0) ||
  keyColumns.some(([name, , length]) => (filter[name]?.length ?? 0) > length)

/** Numbers, at most `limit` of each status and each time from the end of an index. */
function alongIndex(
  filter: JobsFilter,
  conditions: readonly Condition[],
  order: string,
  limit: string,
): Condition {
  const first = `${order} FETCH FIRST ${limit} ROWS ONLY`
  const common = allOf(conditions)
  const isWhole = !filter.statuses && (filter.ns || keyColumns.every(([name]) => filter[name] === undefined))
  if (isWhole) return { sql: `SELECT n FROM jobs${common.sql} ${first}`, binds: common.binds }
  const statuses = [...new Set(filter.statuses ?? jobStatuses)]
  const selects = statuses.map((status, at) => {
    const { sql } = allOf([...conditions, equal('status', `status${at}`, status)])
    return `SELECT n FROM (SELECT n FROM jobs${sql} ${first})`
  })
  const statusBinds = Object.fromEntries(statuses.map((status, at) => [`status${at}`, status]))
  return {
    sql: `SELECT n FROM (${selects.join(' UNION ALL ')}) ${first}`,
    binds: { ...common.binds, ...statusBinds },
  }
}

/** Parts of words count too: there is no index of words. */
function wordConditions({ text }: JobsFilter): Condition[] {
  if (text === undefined) return []
  const words = searchWords(searchable(text))
  const all = (column: string) => words.map((_, at) => `instr(${column}, :word${at}) > 0`).join(' AND ')
  return [
    {
      sql: `((${all('error_words')}) OR EXISTS (SELECT 1 FROM job_bodies WHERE job_bodies.n = jobs.n AND ${all('job_bodies.words')}))`,
      binds: Object.fromEntries(words.map((word, at) => [`word${at}`, word])),
    },
  ]
}

function allOf(conditions: readonly Condition[]): Condition {
  const sql = conditions.map((condition) => condition.sql).join(' AND ')
  return { sql: sql && ` WHERE ${sql}`, binds: Object.assign({}, ...conditions.map(({ binds }) => binds)) }
}

const equal = (column: string, name: string, value: string): Condition => ({
  sql: `${column} = :${name}`,
  binds: { [name]: value },
})

function rangeConditions({ after, before }: JobsPage): Condition[] {
  return [
    ...(after === undefined ? [] : [{ sql: 'n < :after', binds: { after } }]),
    ...(before === undefined ? [] : [{ sql: 'n > :before', binds: { before } }]),
  ]
}

const changeConditions = ({ changedUpTo }: JobsFilter): Condition[] =>
  changedUpTo === undefined
    ? []
    : [{ sql: 'journal <= :changedUpTo', binds: { changedUpTo: sortableJournalId(changedUpTo) } }]

/** The range of numbers that a range of times can be in, see `clockSlackMs`, and the times themselves. */
function timeConditions({ receivedFrom, receivedTo }: JobsFilter): Condition[] {
  const conditions: Condition[] = []
  const add = (sql: string, binds: Binds) => conditions.push({ sql, binds })
  if (receivedFrom !== undefined)
    add(
      `received_at >= :receivedFrom AND n > coalesce((SELECT max(n) FROM jobs WHERE received_at =
        (SELECT max(received_at) FROM jobs WHERE received_at < :receivedFrom - ${clockSlackMs})), 0)`,
      { receivedFrom },
    )
  if (receivedTo !== undefined)
    add(
      `received_at < :receivedTo AND n < coalesce((SELECT min(n) FROM jobs WHERE received_at =
        (SELECT min(received_at) FROM jobs WHERE received_at >= :receivedTo + ${clockSlackMs})), ${Number.MAX_SAFE_INTEGER})`,
      { receivedTo },
    )
  return conditions
}
