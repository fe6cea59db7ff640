import { until } from './client.ts'
import { openSocket } from './graphql-socket.ts'

export type Refusal = { code: string; limit: unknown; message: string; hasRequestId: boolean }
/** Sends an operation, and resolves with the errors of its answer; none for one that was served. */
export type SendOver = (params: Record<string, unknown>) => Promise<Refusal[]>

type AnsweredError = {
  message: string
  extensions: { code: string; requestId?: string; details?: { limit?: unknown } }
}
const refusalsOf = (errors: readonly AnsweredError[] = []): Refusal[] =>
  errors.map(({ message, extensions: { code, requestId, details } }) => ({
    ...{ code, message, limit: details?.limit, hasRequestId: Boolean(requestId) },
  }))

type Options = { origin: string; token: string }

const post = ({ origin, token }: Options, accept: string, params: unknown) =>
  fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept },
    body: JSON.stringify(params),
  })

const overHttp =
  (options: Options): SendOver =>
  async (params) => {
    const response = await post(options, 'application/json', params)
    return refusalsOf(((await response.json()) as { errors?: AnsweredError[] }).errors)
  }

/** For operations that end: a stream that is opened is not read to its end. */
const overEventStream =
  (options: Options): SendOver =>
  async (params) => {
    const response = await post(options, 'text/event-stream', params)
    const text = await response.text()
    const data = response.headers.get('content-type')?.includes('json')
      ? text
      : /^data: (.+)$/m.exec(text)?.[1]
    return refusalsOf((JSON.parse(data ?? '{}') as { errors?: AnsweredError[] }).errors)
  }

const overWebSocket =
  ({ origin, token }: Options): SendOver =>
  async (params) => {
    const client = await openSocket(origin, { token })
    client.send({ id: '1', type: 'subscribe', payload: params })
    const answer = () => [...client.frames('error'), ...client.frames('next')][0]
    const { type, payload } = await until(answer, { what: 'an answer' })
    client.socket.close()
    const errors = type === 'error' ? payload : (payload as { errors?: unknown }).errors
    return refusalsOf(errors as AnsweredError[] | undefined)
  }

export const transports = (
  options: Options,
): Record<'HTTP' | 'an event stream' | 'a WebSocket', SendOver> => ({
  HTTP: overHttp(options),
  'an event stream': overEventStream(options),
  'a WebSocket': overWebSocket(options),
})
