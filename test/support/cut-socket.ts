import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, type Sink } from 'graphql-ws'
import { WebSocket } from 'ws'
import type { Following } from './cut-event-stream.ts'
import { socketUrl } from './graphql-socket.ts'
import { type JobEventResult, jobEventsQuery } from './subscriber-course.ts'

type Data = NonNullable<JobEventResult['data']>

/** Follows job events by the client of graphql-ws, which connects again by itself and asks for what follows the last cursor. */
export function followBySocket({ course, token, origin, pauseMs }: Following): { close(): void } {
  let isClosed = false
  let socket: WebSocket | undefined
  let isCut = false
  class WatchedSocket extends WebSocket {
    constructor(...given: ConstructorParameters<typeof WebSocket>) {
      super(...given)
      socket = this
      isCut = false
    }
  }
  const client = createClient({
    url: () => socketUrl(origin()),
    webSocketImpl: WatchedSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: () => sleep(pauseMs()),
    shouldRetry: () => true,
    on: { connected: () => void course.connections++ },
  })
  const again = async () => {
    await sleep(pauseMs())
    if (!isClosed) subscribe()
  }
  const sink: Sink<JobEventResult> = {
    next({ data, errors = [] }) {
      if (isCut) return
      for (const error of errors) course.troubles.push(String(error.extensions?.code ?? error.message))
      if (!data || !course.take(data.jobEvents)) return
      isCut = true
      socket?.terminate()
    },
    error(error) {
      const [first] = Array.isArray(error) ? error : []
      course.troubles.push(String(first?.extensions?.code ?? JSON.stringify(error)))
      void again()
    },
    complete: () => void again(),
  }
  // Read anew each time that the client subscribes again.
  const variables = {
    get after() {
      return course.cursor
    },
  }
  const subscribe = () => client.subscribe<Data>({ query: jobEventsQuery, variables }, sink as Sink)
  subscribe()
  return {
    close() {
      isClosed = true
      void client.dispose()
      socket?.terminate()
    },
  }
}
