import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { adminToken } from './gancho.ts'

/** A message as it came over the wire; `data` is JSON where there is any. */
export type StreamMessage = { event?: string; id?: string; retry?: number; data?: unknown; comment?: boolean }

export type EventStream = {
  status: number
  headers: IncomingHttpHeaders
  /** Everything that came so far, as it was sent. */
  raw(): string
  messages: StreamMessage[]
  /** The data of `next` messages. */
  results(): unknown[]
  /** What a browser would send in `Last-Event-ID`. */
  lastId(): string | undefined
  /** Resolves when the server has ended the answer, or the connection is gone. */
  ended: Promise<void>
  /** Reads no more, so that what the server sends piles up. */
  pause(): void
  resume(): void
  close(): void
}

type Options = {
  query: string
  variables?: Record<string, unknown>
  token?: string | null
  ticket?: string
  lastEventId?: string | undefined
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
}

/** Opens an event stream the way a browser's EventSource does, or with POST. Resolves with its head. */
export function openEventStream(origin: string, options: Options): Promise<EventStream> {
  const { query, variables, token = adminToken, ticket, lastEventId, method = 'GET', headers = {} } = options
  const url = new URL('/graphql', origin)
  const post = method === 'POST'
  if (ticket !== undefined) url.searchParams.set('ticket', ticket)
  if (!post) url.searchParams.set('query', query)
  if (!post && variables) url.searchParams.set('variables', JSON.stringify(variables))
  const request = httpRequest(url, {
    method,
    agent: false,
    headers: {
      accept: 'text/event-stream',
      ...(token !== null && ticket === undefined && { authorization: `Bearer ${token}` }),
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      ...(post && { 'content-type': 'application/json' }),
      ...headers,
    },
  })
  request.end(post ? JSON.stringify({ query, variables }) : undefined)
  return new Promise((resolve, reject) => {
    request.once('error', reject)
    request.once('response', (response) => resolve(listen(response)))
  })
}

function listen(response: IncomingMessage): EventStream {
  const messages: StreamMessage[] = []
  let text = ''
  let rest = ''
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop() ?? ''
    messages.push(...blocks.map(messageOf))
  })
  response.on('error', () => undefined)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    raw: () => text,
    messages,
    results: () => messages.filter(({ event }) => event === 'next').map(({ data }) => data),
    lastId: () => messages.findLast(({ id }) => id !== undefined)?.id,
    ended: new Promise((resolve) => response.once('close', () => resolve())),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close: () => response.destroy(),
  }
}

function messageOf(block: string): StreamMessage {
  const message: StreamMessage = {}
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (field === '') message.comment = true
    if (field === 'event' || field === 'id') message[field] = value
    if (field === 'retry') message.retry = Number(value)
    if (field === 'data') message.data = value ? JSON.parse(value) : ''
  }
  return message
}

/** The end of a stream that the server ended before its time. */
export function endingOf({ messages }: EventStream) {
  const [last, complete] = messages.slice(-2)
  const { errors } = (last?.data ?? {}) as { errors?: { extensions: { code: string; cursor?: string } }[] }
  return {
    code: errors?.[0]?.extensions.code,
    cursor: errors?.[0]?.extensions.cursor,
    id: last?.id,
    retry: last?.retry,
    completed: complete?.event === 'complete',
  }
}
