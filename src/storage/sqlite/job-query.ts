import { jobStatuses } from '../../events/job.ts'
import { clockSlackMs, type JobsFilter, type JobsPage } from '../../history/history-store.ts'
import { searchWords } from '../../history/search-words.ts'
import { sortableJournalId } from '../journal-order.ts'
import type { Matching, Query } from '../matching.ts'
import type { Binds } from '../sql.ts'

/** Columns that never change, and the letter that their words in `job_words.keys` begin with. */
const keyColumns = [
  ['destination', 'destination', 'd'],
  ['cnpj', 'cnpj', 'c'],
  ['eventType', 'event_type', 'e'],
  ['queue', 'queue', 'q'],
] as const satisfies readonly (readonly [keyof JobsFilter, string, string])[]

type KeyColumn = (typeof keyColumns)[number]

const bothIndexes = ['job_words', 'job_error_words']
const end = Number.MAX_SAFE_INTEGER
/** SQLite plans by the value of a bind that stands there alone, and makes the statement anew each time. */
const limitTo = (bind: 'limit' | 'candidates') => `LIMIT CAST(:${bind} AS INTEGER)`

/**
 * One column and the status are answered by that column's index; a text, or several columns, by the word index, which has the columns'
 * values as words. The word index knows no status, so of what it finds some `candidates` are looked up. Where only few jobs can have
 * one of the statuses, it is the other way round.
 */
export function matching(filter: JobsFilter, page: JobsPage, candidates: number): Matching {
  const order = `ORDER BY n ${page.fromEnd ? 'ASC' : 'DESC'}`
  const binds = {
    ...{ after: page.after ?? end, before: page.before ?? 0 },
    ...timeBinds(filter),
  }
  if (matchesNothing(filter))
    return { numbers: { sql: 'SELECT n FROM jobs WHERE 1 = 0', binds: {} }, candidates: null }
  const { limit } = page
  if (filter.ns) return { numbers: amongNumbers(filter, order, { ...binds, limit }), candidates: null }
  const [key, ...otherKeys] = keyColumns.filter(([name]) => filter[name] !== undefined)
  const isAlong = filter.text === undefined && (otherKeys.length === 0 || areFew(filter.statuses))
  const found = isAlong ? alongIndex(filter, key) : byWords(filter)
  const rest = isAlong ? ofKeys(filter, otherKeys) : ofStatusAndRow(filter)
  const all = { ...binds, ...found.binds }
  if (rest.conditions.length > 0) return lookedThrough(found.sql, rest, order, { ...all, limit, candidates })
  return {
    numbers: { sql: `${found.sql} ${order} ${limitTo('limit')}`, binds: { ...all, limit } },
    candidates: null,
  }
}

/** Nearly all jobs are delivered in the end. */
const areFew = (statuses: JobsFilter['statuses']) => statuses !== undefined && !statuses.includes('DELIVERED')

const matchesNothing = ({ ns, statuses, text }: JobsFilter) =>
  ns?.length === 0 || statuses?.length === 0 || (text !== undefined && searchWords(text).length === 0)

/** One SELECT for each status, because SQLite merges those lazily along their index, while `status IN (…)` makes it sort every match. */
function alongIndex(filter: JobsFilter, key: KeyColumn | undefined): Query {
  const common = listConditions(filter)
  if (!key && !filter.statuses) return { sql: select('jobs NOT INDEXED', common), binds: changeBinds(filter) }
  const statuses = [...new Set(filter.statuses ?? jobStatuses)]
  const index = key ? `jobs_by_${key[1]}_status` : 'jobs_by_status'
  const selects = statuses.map((_, at) =>
    select(`jobs INDEXED BY ${index}`, [
      ...(key ? [`${key[1]} = :key`] : []),
      `status = :status${at}`,
      ...common,
    ]),
  )
  const statusBinds = Object.fromEntries(statuses.map((status, at) => [`status${at}`, status]))
  return {
    sql: selects.join(' UNION ALL '),
    binds: { ...statusBinds, ...changeBinds(filter), ...(key ? { key: filter[key[0]] ?? null } : {}) },
  }
}

function byWords(filter: JobsFilter): Query {
  // What went wrong has its own words, but every job is in the index of bodies with its keys.
  const indexes = filter.text === undefined ? ['job_words'] : bothIndexes
  const selects = indexes.map((index) =>
    [`SELECT rowid AS n FROM ${index} WHERE ${index} MATCH :words`, ...numberRange(filter, 'rowid')].join(
      ' AND ',
    ),
  )
  return { sql: selects.join(' UNION '), binds: { words: wordsToMatch(filter) } }
}

/** FTS5's query language; quoted, nothing of it is left in what callers give. */
function wordsToMatch(filter: JobsFilter): string {
  const keys = keyColumns.flatMap(([name, , letter]) => {
    const value = filter[name]
    return value === undefined ? [] : [wordOfKey(letter, value)]
  })
  const words = filter.text === undefined ? [] : searchWords(filter.text)
  const parts = [
    ...(keys.length > 0 ? [`keys : (${allOf(keys)})`] : []),
    ...(words.length > 0 ? [`words : (${allOf(words)})`] : []),
  ]
  return parts.join(' AND ')
}

/** What is asked of a candidate's row; the `+` keeps SQLite from finding it by another index. */
type Rest = { conditions: string[]; binds: Binds }

const ofKeys = (filter: JobsFilter, keys: readonly KeyColumn[]): Rest => ({
  conditions: keys.map(([name, column]) => `+${column} = :${name}`),
  binds: Object.fromEntries(keys.map(([name]) => [name, filter[name] ?? null])),
})

const ofStatusAndRow = (filter: JobsFilter): Rest => ({
  conditions: [...statusCondition(filter), ...rowConditions(filter)],
  binds: { ...(filter.statuses && { statuses: JSON.stringify(filter.statuses) }), ...changeBinds(filter) },
})

function lookedThrough(found: string, rest: Rest, order: string, binds: Binds): Matching {
  const { limit: _, ...without } = binds
  const candidates = `${found} ${order} ${limitTo('candidates')}`
  const farthest = order.endsWith('ASC') ? 'max' : 'min'
  return {
    numbers: {
      sql: `SELECT found.n AS n FROM (${candidates}) AS found CROSS JOIN jobs
        WHERE ${['jobs.n = found.n', ...rest.conditions].join(' AND ')} ${order} ${limitTo('limit')}`,
      binds: { ...binds, ...rest.binds },
    },
    candidates: {
      sql: `SELECT count(*) AS looked, ${farthest}(n) AS reached FROM (${candidates})`,
      binds: without,
    },
  }
}

/** At most a thousand, so they are looked up one by one and sorted. */
function amongNumbers(filter: JobsFilter, order: string, binds: Binds): Query {
  const keys = ofKeys(
    filter,
    keyColumns.filter(([name]) => filter[name] !== undefined),
  )
  const others = ofStatusAndRow(filter)
  const words = filter.text === undefined ? undefined : wordsToMatch({ text: filter.text })
  const hasWords = (index: string) =>
    `EXISTS (SELECT 1 FROM ${index} WHERE ${index} MATCH :words AND rowid = jobs.n)`
  const conditions = [
    ...['n IN (SELECT value FROM json_each(:ns))', 'n < :after', 'n > :before'],
    ...[...keys.conditions, ...others.conditions],
    ...(words ? [`(${bothIndexes.map(hasWords).join(' OR ')})`] : []),
  ]
  return {
    sql: `${select('jobs', conditions)} ${order} ${limitTo('limit')}`,
    binds: {
      ...{ ...binds, ...keys.binds, ...others.binds, ns: JSON.stringify(filter.ns) },
      ...(words ? { words } : {}),
    },
  }
}

const select = (from: string, conditions: readonly string[]) =>
  `SELECT n FROM ${from} WHERE ${conditions.join(' AND ')}`

const allOf = (words: readonly string[]) =>
  words.map((word) => `"${word.replaceAll('"', '""')}"`).join(' AND ')

/** As `keysOf` of `search-schema.ts` writes it. */
const wordOfKey = (letter: string, value: string) =>
  `${letter}${Buffer.from(value).toString('hex').toUpperCase()}`

const statusCondition = ({ statuses }: JobsFilter) =>
  statuses ? ['+status IN (SELECT value FROM json_each(:statuses))'] : []

/** What no index tells. */
const rowConditions = ({ receivedFrom, receivedTo, changedUpTo }: JobsFilter) => [
  ...(receivedFrom === undefined ? [] : ['received_at >= :receivedFrom']),
  ...(receivedTo === undefined ? [] : ['received_at < :receivedTo']),
  ...(changedUpTo === undefined ? [] : ['journal <= :changedUpTo']),
]

const listConditions = (filter: JobsFilter) => [...numberRange(filter, 'n'), ...rowConditions(filter)]

/**
 * The page's range of numbers within the one that a range of times can be in, see `clockSlackMs`. One bound on each side, because
 * SQLite looks up only one and compares the others row by row. Numbers are bound as floating point, for which the word index has no use.
 */
function numberRange({ receivedFrom, receivedTo }: JobsFilter, column: 'n' | 'rowid'): string[] {
  const lower = `coalesce((SELECT n FROM jobs WHERE received_at < :receivedFrom - ${clockSlackMs}
    ORDER BY received_at DESC, n DESC LIMIT 1), 0)`
  const upper = `coalesce((SELECT n FROM jobs WHERE received_at >= :receivedTo + ${clockSlackMs}
    ORDER BY received_at, n LIMIT 1), ${end})`
  const tops = [':after', ...(receivedTo === undefined ? [] : [upper])]
  // The word index keeps the words of removed jobs for a while, and passes over them one by one.
  const bottoms = [
    ...[':before', ...(receivedFrom === undefined ? [] : [lower])],
    ...(column === 'rowid' ? ['coalesce((SELECT min(n) FROM jobs), 0) - 1'] : []),
  ]
  return [
    `${column} < CAST(${tops.length === 1 ? tops[0] : `min(${tops.join(', ')})`} AS INTEGER)`,
    `${column} > CAST(${bottoms.length === 1 ? bottoms[0] : `max(${bottoms.join(', ')})`} AS INTEGER)`,
  ]
}

const timeBinds = ({ receivedFrom, receivedTo }: JobsFilter): Binds => ({
  ...(receivedFrom === undefined ? {} : { receivedFrom }),
  ...(receivedTo === undefined ? {} : { receivedTo }),
})

const changeBinds = ({ changedUpTo }: JobsFilter): Binds =>
  changedUpTo === undefined ? {} : { changedUpTo: sortableJournalId(changedUpTo) }
