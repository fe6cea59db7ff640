import { type ExecutionArgs, type ExecutionResult, execute, getOperationAST } from 'graphql'
import { isAsyncIterable } from 'graphql-yoga'
import type { Logger } from 'pino'
import { decodeCursor, encodeCursor } from '../journal/cursor.ts'
import { type FairBulkhead, fairBulkhead } from '../journal/fair-bulkhead.ts'
import type { JournalItem } from '../journal/journal-read.ts'
import type { Pace } from '../journal/live-group.ts'
import type { LiveStream } from '../journal/live-stream.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import type { GraphqlContext, GraphqlServerContext } from './context.ts'
import { DocumentsInUse } from './documents-in-use.ts'
import { JobEventSource } from './job-event-source.ts'
import { createLoaders } from './loaders.ts'
import type {
  OpenedOperation,
  OpenOperation,
  OperationParams,
  OperationStream,
  ResultMessage,
} from './operation-stream.ts'
import type { GraphqlServices } from './services.ts'
import { readsJobs, sharingKey } from './shared-results.ts'
import type { StreamReport } from './stream-report.ts'
import { wantsSource } from './subscription-sources.ts'
import { failedResult, translatedResult } from './translate-errors.ts'
import type { createGraphql } from './yoga.ts'

type Deps = {
  graphql: Pick<ReturnType<typeof createGraphql>, 'getEnveloped'>
  services: GraphqlServices
  log: Pick<Logger, 'error'>
  report?: Pick<StreamReport, 'resultMade'>
}

/** Groups that read jobs at one time: what they read, bodies included, is in memory until their results are made. */
const mostReading = 8
/** Of a tenant, on this instance. */
const maxDocuments = 100

type Args = ExecutionArgs & { contextValue: GraphqlContext }

/** Starts operations with everything that the GraphQL endpoint checks and adds, without HTTP. */
export function operationOpener(deps: Deps): OpenOperation {
  const reading = fairBulkhead(mostReading)
  const documents = new DocumentsInUse(maxDocuments)
  return async (params, context, { lastEventId } = {}) => {
    const { requestId } = context
    try {
      const prepared = await prepare(deps, params, context)
      if ('result' in prepared) return resultOf(translatedResult(prepared.result, requestId, deps.log))
      const { source, args } = prepared
      const stream =
        source instanceof JobEventSource
          ? await sharedStream(deps, { source, args, params, context, lastEventId, reading, documents })
          : ownStream(source, (payload) =>
              resultText(deps, { ...args, contextValue: freshContext(deps, args) }, payload),
            )
      return { kind: 'stream', stream }
    } catch (error) {
      return resultOf(failedResult(error, requestId, deps.log))
    }
  }
}

type Prepared = { result: ExecutionResult } | { source: AsyncIterable<unknown>; args: Args }

async function prepare(
  { graphql }: Deps,
  params: OperationParams,
  context: GraphqlServerContext,
): Promise<Prepared> {
  const enveloped = graphql.getEnveloped({ ...context, params, [wantsSource]: true })
  const document = enveloped.parse(params.query)
  const errors = enveloped.validate(enveloped.schema, document)
  if (errors.length > 0) return { result: { errors } }
  const args: Args = {
    schema: enveloped.schema,
    document,
    // The endpoint's context function adds what the types of the plugins do not tell.
    contextValue: (await enveloped.contextFactory()) as unknown as GraphqlContext,
    variableValues: params.variables,
    operationName: params.operationName,
  }
  const operation = getOperationAST(document, params.operationName)
  const run = operation?.operation === 'subscription' ? enveloped.subscribe : enveloped.execute
  const outcome: ExecutionResult | AsyncIterable<unknown> = await run(args)
  return isAsyncIterable(outcome) ? { source: outcome, args } : { result: outcome }
}

/** The status is for HTTP alone, and no part of the result. */
function resultOf(result: ExecutionResult): OpenedOperation {
  const status = result.errors?.map(({ extensions }) => extensions.http as { status?: number } | undefined)
  return {
    kind: 'result',
    result: withoutHttp(result),
    status: status?.find((http) => http?.status)?.status ?? 200,
  }
}

function withoutHttp(result: ExecutionResult): ExecutionResult {
  for (const error of result.errors ?? []) delete error.extensions.http
  return result
}

type Shared = {
  source: JobEventSource
  args: Args
  params: OperationParams
  context: GraphqlServerContext
  lastEventId: string | undefined
  reading: FairBulkhead
  documents: DocumentsInUse
}

async function sharedStream(deps: Deps, shared: Shared): Promise<OperationStream> {
  const { source, args, params, context, lastEventId, reading, documents } = shared
  const { principal } = context
  const make = messageMaker(deps, args)
  const render = readsJobs(args.document)
    ? (items: readonly JournalItem[], pace: Pace) => reading(pace.asker, () => make(items, pace))
    : make
  const after = lastEventId ? decodeCursor(lastEventId) : source.from
  const giveBack =
    principal.kind === 'tenant' ? documents.take(principal.tenant.cnpj, params.query) : undefined
  try {
    const live = await deps.services.liveJournal.subscribe<ResultMessage>({
      key: sharingKey(params, args.document, principal),
      wish: { ...source.wish, render, bytesOf: ({ json }) => json.length + 300 },
      after,
      onClose: giveBack,
    })
    return streamOf(live)
  } catch (error) {
    giveBack?.()
    throw error
  }
}

/** Makes messages one by one, each in its turn; what they read, they read together. */
const messageMaker = (deps: Deps, args: Args) => (items: readonly JournalItem[], pace: Pace) => {
  const contextValue = freshContext(deps, args, pace.turn)
  const message = async (item: JournalItem): Promise<ResultMessage> => {
    if (!(await pace.turn())) throw new Error('Nobody wants this message any more.')
    const json = await resultText(deps, { ...args, contextValue }, item)
    deps.report?.resultMade()
    return { json, cursor: encodeCursor(item.position) }
  }
  return Promise.all(items.map(message))
}

/** Apart from where it is opened, so that nothing of that is held for as long as it lasts. */
function streamOf(live: LiveStream<ResultMessage>): OperationStream {
  return {
    batches: live.batches(),
    broken: live.broken,
    cursor: () => encodeCursor(live.position),
    close: () => live.close(),
  }
}

/** A stream of what this subscriber alone gets, made when it asks for it. */
function ownStream(
  source: AsyncIterable<unknown>,
  render: (payload: unknown) => Promise<string>,
): OperationStream {
  const iterator = source[Symbol.asyncIterator]()
  let isClosed = false
  const close = () => {
    if (isClosed) return
    isClosed = true
    // It ends by itself when it can; nobody waits for that.
    Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
  async function* batches() {
    try {
      for (;;) {
        const next = await iterator.next()
        if (next.done || isClosed) return
        yield { messages: [{ json: await render(next.value), cursor: undefined }] }
      }
    } catch (error) {
      throw toGanchoError(error)
    } finally {
      close()
    }
  }
  return { batches: batches(), broken: new AbortController().signal, cursor: () => undefined, close }
}

/** For results made at one time: they read together, and nothing that was read before. */
function freshContext(
  { services }: Deps,
  { contextValue }: Args,
  turn?: () => Promise<unknown>,
): GraphqlContext {
  const { principal } = contextValue
  const loaders = createLoaders(services, principal, turn)
  // The tenant as it was when the stream was opened.
  loaders.tenant.clearAll()
  return { ...contextValue, loaders }
}

async function resultText(deps: Deps, args: Args, rootValue: unknown): Promise<string> {
  const result = await execute({ ...args, rootValue })
  const { requestId } = args.contextValue
  return JSON.stringify(withoutHttp(translatedResult(result, requestId, deps.log)))
}
