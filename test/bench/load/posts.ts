// Posts the same event over keep-alive connections, as lightly as a sender can: the request is written as it is, and of an answer only
// its status and length are read.
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { serveBench } from '../harness/parent.ts'
import { type Bound, openUnderWay, type UnderWay } from './under-way.ts'

export type Target = { origin: string; path: string; headers: Record<string, string>; body: string }
type Ending = { seconds: number } | { count: number }
/**
 * `perSecond`: posts at these times, whether or not those before have been answered; without it, each connection posts again at once, as
 * long as `underWay` lets it.
 */
export type Posting = { target: Target; connections: number; perSecond?: number; underWay?: Bound } & Ending
/** `latencies`: milliseconds, of those that were accepted (2xx); at a rate from the time at which they were due. */
export type Posted = { accepted: number; refused: number; tookMs: number; latencies: Float64Array }

type Connection = { post(): Promise<number>; close(): void }

function requestBytes({ origin, path, headers, body }: Target): Buffer {
  const all = { host: new URL(origin).host, ...headers, 'content-length': String(Buffer.byteLength(body)) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}

/** Status of the answer that `text` holds as a whole. */
function statusIn(text: string): number | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = text.slice(0, end)
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
  return text.length >= end + 4 + length ? Number(head.slice(9, 12)) : undefined
}

/** What a connection brings is made text before another one is read. */
const arrived = Buffer.alloc(64 * 1024)

async function open(target: Target): Promise<Connection> {
  const request = requestBytes(target)
  const { hostname, port } = new URL(target.origin)
  let text = ''
  let waiting: PromiseWithResolvers<number> | undefined
  const fail = () => waiting?.reject(new Error('a connection of the sender was cut'))
  // Past the socket's stream, which costs more than all else here.
  const read = (length: number) => {
    text += arrived.toString('latin1', 0, length)
    const status = statusIn(text)
    if (status !== undefined) {
      text = ''
      waiting?.resolve(status)
    }
    return true
  }
  const onread = { buffer: arrived, callback: read }
  const socket = connect({ host: hostname, port: Number(port), noDelay: true, onread })
  socket.on('error', fail).on('close', fail)
  await new Promise((resolve) => socket.once('connect', resolve))
  return {
    post() {
      waiting = Promise.withResolvers<number>()
      if (socket.destroyed) fail()
      else socket.write(request)
      return waiting.promise
    },
    close: () => socket.destroy(),
  }
}

async function post(posting: Posting): Promise<Posted> {
  const { target, connections } = posting
  const opened = await Promise.all(Array.from({ length: connections }, () => open(target)))
  const latencies: number[] = []
  const underWay = posting.underWay && openUnderWay(posting.underWay)
  let refused = 0
  const one = async (connection: Connection, since: number) => {
    const status = await connection.post()
    if (status < 300) latencies.push(performance.now() - since)
    else {
      refused += 1
      underWay?.leave()
    }
  }
  const startedAt = performance.now()
  if (posting.perSecond === undefined) await again(opened, posting, one, underWay)
  else await atRate(opened, { ...posting, perSecond: posting.perSecond }, one)
  const tookMs = performance.now() - startedAt
  for (const connection of opened) connection.close()
  underWay?.close()
  return { accepted: latencies.length, refused, tookMs, latencies: Float64Array.from(latencies) }
}

type One = (connection: Connection, since: number) => Promise<void>

async function again(
  connections: readonly Connection[],
  ending: Ending,
  one: One,
  underWay: UnderWay | undefined,
): Promise<void> {
  let left = 'count' in ending ? ending.count : Number.POSITIVE_INFINITY
  const endsAt = 'seconds' in ending ? performance.now() + ending.seconds * 1_000 : Number.POSITIVE_INFINITY
  const post = async (connection: Connection) => {
    while (left > 0 && performance.now() < endsAt) {
      if (underWay && !(await underWay.enter(endsAt))) return
      left -= 1
      await one(connection, performance.now())
    }
  }
  await Promise.all(connections.map(post))
}

/** What finds no free connection waits for one, and that time counts. */
async function atRate(
  connections: readonly Connection[],
  posting: Posting & { perSecond: number },
  one: One,
): Promise<void> {
  const free = [...connections]
  const due: number[] = []
  const running: Promise<void>[] = []
  const next = async (): Promise<void> => {
    const since = due.shift()
    const connection = since === undefined ? undefined : free.pop()
    if (since === undefined) return
    if (!connection) {
      due.unshift(since)
      return
    }
    await one(connection, since)
    free.push(connection)
    await next()
  }
  const count = 'count' in posting ? posting.count : posting.seconds * posting.perSecond
  const startedAt = performance.now()
  for (let turn = 0; turn < count; turn += 1) {
    const at = startedAt + (turn * 1_000) / posting.perSecond
    const early = at - performance.now()
    if (early > 0) await sleep(early)
    due.push(at)
    running.push(next())
  }
  while (due.length > 0) await sleep(1)
  await Promise.all(running)
}

serveBench({ post })
