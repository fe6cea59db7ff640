import { connect } from 'node:net'
import { until } from './client.ts'

export type RawConnection = {
  write(data: string | Buffer): void
  /** Everything that came back so far. */
  received(): string
  /** Waits for that many answers, and returns their status codes. */
  statuses(count: number): Promise<number[]>
  /** Resolves when the other side has ended the connection. */
  ended: Promise<void>
  destroy(): void
}

/** A connection on which a test says exactly what it wants, whole requests or not. */
export function connectRaw(origin: string): RawConnection {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  // A reset ends the connection just as well.
  socket.on('error', () => undefined)
  const found = () => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  return {
    write: (data) => void socket.write(data),
    received: () => text,
    async statuses(count) {
      await until(() => found().length >= count, { what: () => `${count} answers, have:\n${text}\n` })
      return found()
    },
    ended: new Promise((resolve) => socket.once('close', () => resolve())),
    destroy: () => socket.destroy(),
  }
}

/** Head and body of a `POST /webhook`; further header lines replace those of the same name. */
export function webhookRequest(token: string, body: string, headers: Record<string, string> = {}): string {
  const all = {
    host: 'gancho',
    authorization: `Bearer ${token}`,
    'content-type': 'text/plain',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST /webhook HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}
