import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** A port of 127.0.0.1 that nobody listens on right now: `preferred` when it is free, else any. */
export async function freePort(preferred?: number): Promise<number> {
  const server = createServer()
  server.listen({ host: '127.0.0.1', port: preferred ?? 0 })
  try {
    await once(server, 'listening')
  } catch (error) {
    if (preferred === undefined) throw error
    return freePort()
  }
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
