import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createSocketServer, type Server, type Socket } from 'node:net'

export type Received = { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer }
export type Answer = (response: ServerResponse, received: Received) => void

export type Receiver = {
  url: string
  port: number
  received: Received[]
  /** Connections that are open now. */
  sockets: Set<Socket>
  /** The most connections that were ever open together. */
  mostSockets: () => number
  close(): Promise<void>
}

/** A real HTTP or HTTPS server on a free port of the loopback; `answer` is called once the whole request is there. */
export function startReceiver(answer: Answer, tls?: { key: string; cert: string }): Promise<Receiver> {
  const received: Received[] = []
  const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = '', url: path = '', headers } = request
    const one = { method, path, headers, body: Buffer.concat(chunks) }
    received.push(one)
    answer(response, one)
  }
  const server = tls ? createSecureServer(tls, onRequest) : createServer(onRequest)
  return listen(server, tls ? 'https' : 'http', received)
}

/** A server that speaks no HTTP by itself: `onRequest` gets the socket when the first bytes of a request came. */
export function startRawReceiver(onRequest: (socket: Socket) => void): Promise<Receiver> {
  const server = createSocketServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', () => onRequest(socket))
  })
  return listen(server, 'http', [])
}

async function listen(server: Server, scheme: string, received: Received[]): Promise<Receiver> {
  const sockets = new Set<Socket>()
  let most = 0
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    most = Math.max(most, sockets.size)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `${scheme}://127.0.0.1:${port}/`,
    port,
    received,
    sockets,
    mostSockets: () => most,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
