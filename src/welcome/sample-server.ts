import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type SampleRequest = { request: IncomingMessage; path: string; query: URLSearchParams; body: Buffer }
export type SampleAnswer = { status: number; body: unknown }
export type SampleServer = { origin: string; close(): Promise<void> }

type Options = {
  /** This machine alone unless given. */
  host?: string
  /** 0 or none: any free one. */
  port?: number
  answer: (request: SampleRequest) => Promise<SampleAnswer> | SampleAnswer
}

const maxBodyBytes = 8 * 1024 * 1024

/** An HTTP server that takes bodies of up to 8 MiB and answers with JSON. */
export async function startSampleServer({
  host = '127.0.0.1',
  port = 0,
  answer,
}: Options): Promise<SampleServer> {
  const server = createServer(async (request, response) => {
    try {
      const body = await readBody(request)
      const url = new URL(request.url ?? '/', 'http://sample')
      const asked = { request, path: url.pathname, query: url.searchParams }
      send(response, body ? await answer({ ...asked, body }) : tooLarge)
    } catch {
      // The sender went away in the middle of its body.
      response.destroy()
    }
  })
  server.listen(port, host)
  await once(server, 'listening')
  const origin = `http://${host}:${(server.address() as AddressInfo).port}`
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

function send(response: ServerResponse, { status, body }: SampleAnswer): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(status === 204 || status === 304 ? undefined : `${JSON.stringify(body, null, 2)}\n`)
}
