import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

type Attributes = { key: string; value: Record<string, unknown> }[]
/** https://github.com/open-telemetry/opentelemetry-proto, trace.proto as JSON */
type Export = {
  resourceSpans: {
    resource: { attributes: Attributes }
    scopeSpans: {
      spans: {
        traceId: string
        spanId: string
        parentSpanId?: string
        name: string
        attributes: Attributes
        status: { code?: number; message?: string }
      }[]
    }[]
  }[]
}

export type CollectedSpan = {
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  name: string
  /** Why it did not work out; undefined when it did. */
  failure: string | undefined
  attributes: Record<string, unknown>
  /** Of the process that told it. */
  resource: Record<string, unknown>
}

export type Collector = { url: string; spans: CollectedSpan[]; close(): Promise<void> }

const failed = 2
const valuesOf = (attributes: Attributes) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

/** A collector that takes traces as OTLP in JSON over HTTP. */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const server = createServer(async (request, response) => {
    if (request.url !== '/v1/traces') return void response.writeHead(404).end()
    const { resourceSpans } = (await json(request)) as Export
    for (const { resource, scopeSpans } of resourceSpans)
      for (const { traceId, spanId, parentSpanId, name, attributes, status } of scopeSpans.flatMap(
        (one) => one.spans,
      ))
        spans.push({
          ...{ traceId, spanId, parentSpanId, name },
          failure: status.code === failed ? status.message : undefined,
          attributes: valuesOf(attributes),
          resource: valuesOf(resource.attributes),
        })
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
