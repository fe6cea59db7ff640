import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type LoopbackRequest = { request: IncomingMessage; path: string; query: URLSearchParams; body: Buffer }
export type LoopbackAnswer = { status: number; body: unknown }
export type LoopbackServer = { origin: string; close(): Promise<void> }

type Options = {
  /** 0 or none: any free one. */
  port?: number
  answer: (request: LoopbackRequest) => Promise<LoopbackAnswer> | LoopbackAnswer
}

const maxBodyBytes = 8 * 1024 * 1024

/** An HTTP server on 127.0.0.1 that takes bodies of up to 8 MiB and answers with JSON. */
export async function startLoopbackServer({ port = 0, answer }: Options): Promise<LoopbackServer> {
  const server = createServer(async (request, response) => {
    try {
      const body = await readBody(request)
      const url = new URL(request.url ?? '/', 'http://loopback')
      const asked = { request, path: url.pathname, query: url.searchParams }
      send(response, body ? await answer({ ...asked, body }) : tooLarge)
    } catch {
      // The sender went away in the middle of its body.
      response.destroy()
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { origin, close }
}

const tooLarge = { status: 413, body: { error: `bodies may have ${maxBodyBytes} bytes` } }

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= maxBodyBytes) chunks.push(chunk)
  }
  return bytes > maxBodyBytes ? undefined : Buffer.concat(chunks)
}

function send(response: ServerResponse, { status, body }: LoopbackAnswer): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(status === 204 || status === 304 ? undefined : `${JSON.stringify(body, null, 2)}\n`)
}
