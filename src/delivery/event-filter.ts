import { createContext, Script } from 'node:vm'
import { JSONPathEnvironment, JSONPathError, type JSONPathQuery, type JSONValue } from 'json-p3'
import { GanchoError } from '../errors.ts'

const maxLength = 512
/** How deep `..` goes into a body. */
const maxRecursionDepth = 200
/** Breaking off by the clock costs some 0.3 ms; a plain filter is through with so small a body in less than the budget. */
const plainBytes = 2_048
const environment = new JSONPathEnvironment({ strict: true, maxRecursionDepth })

/** A JSONPath expression (RFC 9535), read once. */
export type EventFilter = {
  text: string
  query: JSONPathQuery
  /** Whether it goes through a body once at most, and calls nothing that may take its time. */
  isPlain: boolean
}

/** @throws GanchoError BAD_REQUEST with what is wrong and where */
export function readFilter(text: string): EventFilter {
  if (text.length > maxLength)
    throw new GanchoError('BAD_REQUEST', `A filter has at most ${maxLength} characters.`)
  try {
    return { text, query: environment.compile(text), isPlain: isPlain(text) }
  } catch (error) {
    if (!(error instanceof JSONPathError)) throw error
    throw new GanchoError('BAD_REQUEST', `The filter is no JSONPath: ${error.message}.`, { cause: error })
  }
}

/** Told by the text alone, so that what it does not understand counts as not plain. */
const isPlain = (text: string) => !/[(,]|\.\./.test(text) && (text.match(/[*?:]/g) ?? []).length <= 1

export type Verdicts = {
  /** For each filter, in order, whether it finds something in the body. */
  found: boolean[]
  /** What could not be judged, and counts as found: because of the time it takes, or of the body's depth. */
  undecided: { filter: EventFilter; reason: string; tookTooLong: boolean }[]
}

type Options = {
  /** Time for all filters of one event together. */
  budgetMs: number
  /** A larger body is not looked into. */
  maxBodyBytes: number
}

/**
 * Judges events by filters. Expressions and bodies are other people's, and some of either take for ever, so evaluation is broken
 * off by the clock (node:vm stops whatever runs, also a regular expression). What cannot be judged counts as found: a destination
 * that gets an event too many can drop it, one that misses an event never learns.
 */
export function eventFilters({ budgetMs, maxBodyBytes }: Options) {
  const context = createContext({ run: () => {} })
  const script = new Script('run()')

  const timedOut = `not within ${budgetMs} ms`

  /** @returns why not, if it did not come to its end. */
  function within(work: () => void, isGuarded: boolean): string | undefined {
    context.run = work
    try {
      if (isGuarded) script.runInContext(context, { timeout: budgetMs })
      else work()
      return undefined
    } catch (error) {
      return (error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
        ? timedOut
        : (error as Error).message
    } finally {
      // It holds the event's body.
      context.run = undefined
    }
  }

  /** `json`: the body, where somebody has read it already. */
  return (filters: readonly EventFilter[], body: Uint8Array, json?: unknown): Verdicts => {
    const found: boolean[] = []
    const undecided: Verdicts['undecided'] = []
    let document = json as JSONValue | undefined
    const judge = () => {
      if (document === undefined) document = JSON.parse(Buffer.from(body).toString()) as JSONValue
      while (found.length < filters.length)
        found.push(filters[found.length]?.query.match(document) !== undefined)
    }
    const isGuarded = body.length > plainBytes || !filters.every((filter) => filter.isPlain)
    const started = performance.now()
    while (found.length < filters.length) {
      const isLate = performance.now() - started >= budgetMs
      const reason =
        body.length > maxBodyBytes ? 'the body is too large' : isLate ? 'too late' : within(judge, isGuarded)
      const filter = filters[found.length]
      if (reason === undefined || !filter) break
      undecided.push({ filter, reason, tookTooLong: reason === timedOut })
      found.push(true)
    }
    return { found, undecided }
  }
}

export type JudgeEvent = ReturnType<typeof eventFilters>
