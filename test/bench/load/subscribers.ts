// Subscribers of event streams, as light as they can be: of what comes, only whether it is the next message is looked at.
import { connect, type Socket } from 'node:net'
import { monotonicMs, serveBench } from '../harness/parent.ts'

export type Subscribing = { origins: string[]; each: number; path: string; headers: Record<string, string> }
/** `times`: when each of them had the message, by the shared clock, in order; `bytes`: how long it was on the wire. */
export type Told = { times: Float64Array; bytes: number }

/** Connections that are being opened at one time. */
const together = 100
const sockets: Socket[] = []
let times: number[] = []
let bytes = 0
let told = Promise.withResolvers<void>()

function receive(chunk: Buffer): void {
  if (!chunk.includes('event: next')) return
  bytes = chunk.length
  times.push(monotonicMs())
  if (times.length === sockets.length) told.resolve()
}

function subscribe(origin: string, { path, headers }: Subscribing): Promise<void> {
  const { hostname, port, host } = new URL(origin)
  const lines = Object.entries({ host, accept: 'text/event-stream', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect(Number(port), hostname, () =>
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`),
  )
  let head = ''
  const open = (chunk: Buffer) => {
    head += chunk.toString('latin1')
    // The first field of the stream: from here on it is subscribed.
    if (!head.includes('retry:')) return
    socket.off('data', open)
    socket.on('data', receive)
    if (head.startsWith('HTTP/1.1 200')) resolve()
    else reject(new Error(head))
  }
  const cut = () => reject(new Error(`a subscriber was cut: ${head}`))
  socket.on('data', open).on('error', cut).on('close', cut)
  sockets.push(socket)
  return promise
}

serveBench({
  /** Resolves when all are subscribed. */
  async subscribe(subscribing: Subscribing) {
    const wanted = subscribing.origins.flatMap((origin) => Array<string>(subscribing.each).fill(origin))
    const next = async () => {
      for (let origin = wanted.pop(); origin !== undefined; origin = wanted.pop())
        await subscribe(origin, subscribing)
    }
    await Promise.all(Array.from({ length: together }, next))
  },
  /** From now on, each waits for one message. */
  expect() {
    times = []
    told = Promise.withResolvers<void>()
  },
  /** @throws Error when some did not get it within a minute */
  async told(): Promise<Told> {
    const late = setTimeout(
      () => told.reject(new Error(`${times.length} of ${sockets.length} were told`)),
      60_000,
    )
    await told.promise
    clearTimeout(late)
    return { times: Float64Array.from(times), bytes }
  },
})
