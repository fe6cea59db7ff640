import { once } from 'node:events'
import { WebSocket } from 'ws'
import { until } from './client.ts'
import { adminToken } from './gancho.ts'

type Closed = { code: number; reason: string }
type Frame = { type: string; id?: string; payload?: unknown }

export type GraphqlSocket = {
  socket: WebSocket
  /** Every frame as it came. */
  texts: string[]
  frames(type: string, id?: string): Frame[]
  send(frame: unknown): void
  subscribe(id: string, query: string, variables?: Record<string, unknown>): void
  /** Waits for that many frames of a type. */
  until(type: string, count?: number): Promise<Frame[]>
  closed: Promise<Closed>
}

type Options = {
  token?: string | null
  headers?: Record<string, string>
  protocol?: string
  /** Answers pings, as every client does. */
  autoPong?: boolean
  /** Says who it is at once. */
  init?: boolean
}

export const socketUrl = (origin: string) => `${origin.replace('http', 'ws')}/graphql`

/** A socket on which a test says each message of the protocol itself. Resolves when it is open and, unless told otherwise, acknowledged. */
export async function openSocket(origin: string, options: Options = {}): Promise<GraphqlSocket> {
  const { token = adminToken, headers = {}, protocol = 'graphql-transport-ws', autoPong = true } = options
  const socket = new WebSocket(socketUrl(origin), protocol, { headers, autoPong })
  const texts: string[] = []
  socket.on('message', (data) => texts.push(String(data)))
  const closed = new Promise<Closed>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  await once(socket, 'open')
  const frames = (type: string, id?: string) =>
    texts
      .map((text) => JSON.parse(text) as Frame)
      .filter((frame) => frame.type === type && (id === undefined || frame.id === id))
  const send = (frame: unknown) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  const found = async (type: string, count = 1) => {
    const what = () => `${count} ${type}, have ${texts.join('\n')}`
    await until(() => frames(type).length >= count, { what })
    return frames(type)
  }
  if (options.init ?? true) {
    send({ type: 'connection_init', ...(token && { payload: { authorization: `Bearer ${token}` } }) })
    await found('connection_ack')
  }
  return {
    ...{ socket, texts, frames, send, until: found, closed },
    subscribe: (id, query, variables) => send({ id, type: 'subscribe', payload: { query, variables } }),
  }
}

/** How the server answers an upgrade that it refuses. */
export async function refusedUpgrade(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(url, 'graphql-transport-ws', { headers })
  socket.on('error', () => undefined)
  const [, response] = await once(socket, 'unexpected-response')
  let text = ''
  for await (const chunk of response) text += chunk
  return { status: response.statusCode as number, code: JSON.parse(text).error.code as string }
}
