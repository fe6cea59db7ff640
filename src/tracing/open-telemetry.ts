import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { type OpenSpan, type SpanFacts, type TraceHeaders, type Tracing, traceHeadersOf } from './tracing.ts'

type Options = {
  /** Name of this process, unique. */
  instance: string
  serviceName: string
  log: { warn(message: string): void }
}

const kinds = { internal: SpanKind.INTERNAL, producer: SpanKind.PRODUCER, client: SpanKind.CLIENT }

/**
 * Traces by OpenTelemetry, sent as OTLP over HTTP in JSON. Where to, how much of it and how often the SDK reads from `OTEL_*`
 * variables itself (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 */
export function openTelemetry({ instance, serviceName, log }: Options): Tracing {
  const warn = onceInAWhile((message) => log.warn(`OpenTelemetry: ${message}`))
  diag.setLogger({ error: warn, warn, info: () => {}, debug: () => {}, verbose: () => {} })
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': serviceName, 'service.instance.id': instance }))
    .merge(detectResources({ detectors: [envDetector] }))
  const provider = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  })
  const tracer = provider.getTracer('gancho')
  const current = new AsyncLocalStorage<Context>()
  return {
    async run(facts, work) {
      const parent = contextOf(facts.parent) ?? current.getStore() ?? ROOT_CONTEXT
      const span = tracer.startSpan(facts.name, { kind: kinds[facts.kind] }, parent)
      const context = trace.setSpan(parent, span)
      try {
        return await current.run(context, () => work(opened(span, context, facts)))
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message })
        throw error
      } finally {
        span.end()
      }
    },
    close: () => provider.shutdown(),
  }
}

const propagator = new W3CTraceContextPropagator()

function contextOf(headers: SpanFacts['parent']): Context | undefined {
  const known = traceHeadersOf(headers)
  return known.traceparent ? propagator.extract(ROOT_CONTEXT, known, defaultTextMapGetter) : undefined
}

function opened(span: Span, context: Context, { attributes }: SpanFacts): OpenSpan {
  const headers: TraceHeaders = {}
  propagator.inject(context, headers, defaultTextMapSetter)
  const set = (values: SpanFacts['attributes']) => {
    for (const [name, value] of Object.entries(values)) if (value !== null) span.setAttribute(name, value)
  }
  set(attributes)
  return { headers, set, fail: (message) => void span.setStatus({ code: SpanStatusCode.ERROR, message }) }
}

/** A collector that is away is told of with each batch. */
function onceInAWhile(report: (message: string) => void): (message: string) => void {
  let last = Number.NEGATIVE_INFINITY
  return (message) => {
    if (Date.now() - last < 60_000) return
    last = Date.now()
    report(message)
  }
}
