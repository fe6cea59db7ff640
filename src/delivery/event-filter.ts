import { createContext, Script } from 'node:vm'
import { JSONPathEnvironment, JSONPathError, type JSONPathQuery, type JSONValue } from 'json-p3'
import { GanchoError } from '../errors.ts'

const maxLength = 512
/** How deep `..` goes into a body. */
const maxRecursionDepth = 200
const environment = new JSONPathEnvironment({ strict: true, maxRecursionDepth })

/** A JSONPath expression (RFC 9535), read once. */
export type EventFilter = { text: string; query: JSONPathQuery }

/** @throws GanchoError BAD_REQUEST with what is wrong and where */
export function readFilter(text: string): EventFilter {
  if (text.length > maxLength)
    throw new GanchoError('BAD_REQUEST', `A filter has at most ${maxLength} characters.`)
  try {
    return { text, query: environment.compile(text) }
  } catch (error) {
    if (!(error instanceof JSONPathError)) throw error
    throw new GanchoError('BAD_REQUEST', `The filter is no JSONPath: ${error.message}.`, { cause: error })
  }
}

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

  function within(work: () => void): string | undefined {
    context.run = work
    try {
      script.runInContext(context, { timeout: budgetMs })
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

  return (filters: readonly EventFilter[], body: Uint8Array): Verdicts => {
    const found: boolean[] = []
    const undecided: Verdicts['undecided'] = []
    let document: JSONValue | undefined
    const judge = () => {
      document ??= JSON.parse(Buffer.from(body).toString()) as JSONValue
      while (found.length < filters.length)
        found.push(filters[found.length]?.query.match(document) !== undefined)
    }
    const started = performance.now()
    while (found.length < filters.length) {
      const isLate = performance.now() - started >= budgetMs
      const reason =
        body.length > maxBodyBytes ? 'the body is too large' : isLate ? 'too late' : within(judge)
      const filter = filters[found.length]
      if (reason === undefined || !filter) break
      undecided.push({ filter, reason, tookTooLong: reason === timedOut })
      found.push(true)
    }
    return { found, undecided }
  }
}

export type JudgeEvent = ReturnType<typeof eventFilters>
