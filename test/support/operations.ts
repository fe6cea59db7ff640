import type { ExecutionResult } from 'graphql'
import type { OpenOperation, OperationStream, ResultMessage } from '../../src/graphql/operation-stream.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import type { TypedDocumentString } from '../gql/graphql.ts'
import { requestId } from './graphql-client.ts'

type Options = { lastEventId?: string }
type Sent<Data, Variables> = [TypedDocumentString<Data, Variables>, Variables?, Options?]

/** Opens operations the way transports do, as this principal. */
export function operationClient(open: OpenOperation, principal: Principal) {
  const identify = async () => ({ kind: 'admin', name: 'admin' }) as const
  const send = <Data, Variables>(...[document, variables, options]: Sent<Data, Variables>) => {
    const params = { query: document.toString(), variables: variables as Record<string, unknown> }
    return open(params, { principal, requestId, identify }, options)
  }
  return {
    send,
    async subscribe<Data, Variables>(...sent: Sent<Data, Variables>) {
      const opened = await send(...sent)
      if (opened.kind === 'result') throw new Error(JSON.stringify(opened.result))
      return received<Data>(opened.stream)
    },
    /** The codes of a result's errors. */
    async codes<Data, Variables>(...sent: Sent<Data, Variables>) {
      const opened = await send(...sent)
      if (opened.kind === 'stream') throw new Error('It was opened.')
      return opened.result.errors?.map(({ extensions }) => extensions.code)
    },
  }
}

/** What a stream gives, one message after the other. */
function received<Data>(stream: OperationStream) {
  const waiting: ResultMessage[] = []
  const batches = stream.batches[Symbol.asyncIterator]()
  const message = async (): Promise<ResultMessage> => {
    while (waiting.length === 0) {
      const { value, done } = await batches.next()
      if (done) throw new Error('The stream has ended.')
      waiting.push(...value.messages)
    }
    return waiting.shift() as ResultMessage
  }
  const result = async () => JSON.parse((await message()).json) as ExecutionResult<Data>
  const data = async (): Promise<Data> => {
    const { data, errors } = await result()
    if (errors || !data) throw new Error(`GraphQL: ${JSON.stringify(errors)}`)
    return data
  }
  return {
    ...{ stream, message, result, data },
    async take(count: number): Promise<Data[]> {
      const all: Data[] = []
      while (all.length < count) all.push(await data())
      return all
    },
  }
}
