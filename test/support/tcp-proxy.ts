import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type TcpProxy = {
  port: number
  /** From now on what clients send passes, and what comes back does not. */
  swallowAnswers(): void
  /** What comes back on the connections that are open now does not pass any more, on new ones it does. */
  muteOpen(): void
  /** Ends all connections and lets everything pass again. */
  cut(): void
  close(): Promise<void>
}

/** Stands between a client and a server on the loopback, to cut the wire at a chosen moment. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const muted = new WeakSet<Socket>()
  let swallowing = false
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        target.destroy()
      })
    }
    client.on('data', (chunk) => target.write(chunk))
    target.on('data', (chunk) => {
      if (!swallowing && !muted.has(client)) client.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
    swallowing = false
  }
  return {
    port: (server.address() as AddressInfo).port,
    swallowAnswers: () => {
      swallowing = true
    },
    muteOpen: () => {
      for (const socket of sockets) muted.add(socket)
    },
    cut,
    async close() {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
}
