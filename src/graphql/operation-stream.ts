import type { ExecutionResult } from 'graphql'
import type { GraphqlServerContext } from './context.ts'

/** One result of a subscription. */
export type ResultMessage = {
  /** The ExecutionResult as JSON, errors translated. Serialized once, however many subscribers get it. */
  json: string
  /** Where to resume to get what follows this message; undefined for operations without a journal. */
  cursor: string | undefined
}

/** Some results in their order, at least one. One object for all subscribers of a group, so that frames can be kept with it (WeakMap). */
export type ResultBatch = { messages: readonly ResultMessage[] }

/** What one subscriber gets. It holds no buffer of its own: what is not asked for is not kept for it. */
export type OperationStream = {
  /**
   * To be iterated once; ends with its source, or after `close`.
   * @throws GanchoError SLOW_CONSUMER (`details.cursor`: the last position given, to resume after), SHUTTING_DOWN, or what the
   * source throws
   */
  batches: AsyncIterable<ResultBatch>
  /**
   * Aborted as soon as the stream is sure to end with an error, which is its reason, also while nobody asks for a batch: for
   * transports that wait for a client that does not read.
   */
  broken: AbortSignal
  /**
   * The last position passed: that of the last batch that was given out, or beyond, where nothing for this subscriber follows it. For
   * keep-alives and for the last word. Undefined for operations without a journal.
   */
  cursor(): string | undefined
  /** Ends it and lets go of what it holds. May be called at any time, and twice. */
  close(): void
}

/** What a client sent, as yet unchecked beyond these types. */
export type OperationParams = {
  query: string
  operationName?: string | null | undefined
  variables?: Record<string, unknown> | null | undefined
  extensions?: Record<string, unknown> | null | undefined
}

export type OpenedOperation =
  | { kind: 'stream'; stream: OperationStream }
  /** Of a query or mutation, or why a subscription cannot start; errors translated. */
  | {
      kind: 'result'
      result: ExecutionResult /** What HTTP would answer: 200 for what was executed. */
      status: number
    }

/**
 * Starts any operation: for transports that are not plain HTTP. Never throws what belongs to the caller: that is a result.
 * `lastEventId`: the cursor of the last message that the client got, in place of the argument `after`.
 */
export type OpenOperation = (
  params: OperationParams,
  context: GraphqlServerContext,
  options?: { lastEventId?: string | undefined },
) => Promise<OpenedOperation>
