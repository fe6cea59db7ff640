import type { Step } from '../sql.ts'

const ddl = (sql: string): Step => ({ sql, rows: [{}] })

/** How much of a body can be searched. */
const searchedBytes = 16_384

/**
 * One word for a value of a column, of letters and digits alone, so that the word index keeps it whole and apart from all others:
 * the column's letter, then the value in hexadecimal. `wordOfKey` in `job-query.ts` writes the same.
 */
const keysOf = (of: string) =>
  [
    ['c', 'cnpj'],
    ['q', 'queue'],
    ['d', 'destination'],
    ['e', 'event_type'],
  ]
    .map(([letter, column]) => `coalesce('${letter}' || hex(${of}${column}), '')`)
    .join(" || ' ' || ")

const errorOf = (row: string) =>
  ['reason', 'error', 'responseExcerpt']
    .map((name) => `coalesce(${row}.failure ->> '$.${name}', '')`)
    .concat(`coalesce(${row}.reported, '')`)
    .join(" || ' ' || ")

const wordsOf = (body: string) => `CAST(substr(${body}, 1, ${searchedBytes}) AS TEXT)`

// Contentless: the words are kept and not the texts, which the tables have. `contentless_delete` lets rows go one by one
// (https://sqlite.org/fts5.html#contentless_delete_tables).
const wordIndex = (name: string) =>
  ddl(`CREATE VIRTUAL TABLE ${name} USING fts5 (words, keys, content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2')`)

const addErrorWords = `INSERT INTO job_error_words (rowid, words, keys)
  SELECT new.n, ${errorOf('new')}, ${keysOf('new.')} WHERE new.failure IS NOT NULL OR new.reported IS NOT NULL;`

/** Adds the words of bodies that are there already. */
export const addWordsOfTables = `INSERT INTO job_words (rowid, words, keys)
  SELECT n, ${wordsOf('body')}, ${keysOf('jobs.')} FROM job_bodies JOIN jobs USING (n)`

/**
 * Words of bodies and of what went wrong, each with the keys of its job. Triggers keep them, so that whoever adds, changes or removes
 * a row keeps the index right; that of bodies is dropped by a later migration. What is there already is added.
 */
export const wordIndexes: readonly Step[] = [
  wordIndex('job_words'),
  wordIndex('job_error_words'),
  ddl(`CREATE TRIGGER job_body_added AFTER INSERT ON job_bodies BEGIN
    INSERT INTO job_words (rowid, words, keys)
      SELECT new.n, ${wordsOf('new.body')}, ${keysOf('jobs.')} FROM jobs WHERE jobs.n = new.n;
  END`),
  ddl(`CREATE TRIGGER job_failed_when_added AFTER INSERT ON jobs
    WHEN new.failure IS NOT NULL OR new.reported IS NOT NULL BEGIN ${addErrorWords} END`),
  ddl(`CREATE TRIGGER job_error_changed AFTER UPDATE OF failure, reported ON jobs
    WHEN new.failure IS NOT old.failure OR new.reported IS NOT old.reported BEGIN
      DELETE FROM job_error_words WHERE rowid = old.n; ${addErrorWords} END`),
  ddl(`CREATE TRIGGER job_removed AFTER DELETE ON jobs BEGIN
    DELETE FROM job_words WHERE rowid = old.n;
    DELETE FROM job_error_words WHERE rowid = old.n;
  END`),
  ddl(addWordsOfTables),
  ddl(`INSERT INTO job_error_words (rowid, words, keys)
    SELECT n, ${errorOf('jobs')}, ${keysOf('jobs.')} FROM jobs WHERE failure IS NOT NULL OR reported IS NOT NULL`),
]

/** Whoever adds a body adds its words by `addBodyWords`. */
export const dropBodyTrigger = ddl('DROP TRIGGER job_body_added')

/**
 * Adds the words of a body, or puts them in the place of the same. By values, and after all else: in a trigger or a SELECT, SQLite sets
 * a savepoint for every row, at which FTS5 writes to the file what it would gather until the end of the transaction.
 */
export const addBodyWords = `INSERT OR REPLACE INTO job_words (rowid, words, keys)
  VALUES (:n, ${wordsOf(':body')}, ${keysOf(':')})`

/** An index for each column that lists are filtered by. Every one ends in n by itself (the rowid), so each lists newest first. */
export const listIndexes: readonly Step[] = [
  ddl('DROP INDEX jobs_by_cnpj'),
  ddl('DROP INDEX jobs_by_queue'),
  ddl('CREATE INDEX jobs_by_queue_status ON jobs (queue, status)'),
  ddl('CREATE INDEX jobs_by_destination_status ON jobs (destination, status)'),
  ddl('CREATE INDEX jobs_by_event_type_status ON jobs (event_type, status)'),
  ddl('CREATE INDEX jobs_by_receipt ON jobs (received_at)'),
]

export const createRounds = ddl(`
  CREATE TABLE job_rounds (
    n INTEGER NOT NULL REFERENCES jobs (n) ON DELETE CASCADE,
    round INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    previous TEXT NOT NULL,
    requested TEXT NOT NULL,
    PRIMARY KEY (n, round)
  ) STRICT`)
