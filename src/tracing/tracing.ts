/** Headers of W3C Trace Context (https://www.w3.org/TR/trace-context/), by their lower-case names. */
export type TraceHeaders = { traceparent?: string; tracestate?: string }

export type SpanFacts = {
  name: string
  kind: 'internal' | 'producer' | 'client'
  /** Headers that may name the span which this one belongs to; what is in hand counts where they do not. */
  parent: Readonly<Record<string, string | undefined>>
  /** Those without a value are left out. */
  attributes: Readonly<Record<string, string | number | null>>
}

export type OpenSpan = {
  /** By which others make theirs a child of it. */
  headers: TraceHeaders
  set(attributes: SpanFacts['attributes']): void
  /** Says that it did not work out, and why. */
  fail(message: string): void
}

/** Tells somewhere else what was done when, and because of what. Never in the way: what cannot be told is lost. */
export type Tracing = {
  /** Runs `work` as a span; it fails with what `work` throws, which is thrown on. */
  run<Result>(facts: SpanFacts, work: (span: OpenSpan) => Promise<Result>): Promise<Result>
  /** Sends what is left. */
  close(): Promise<void>
}

const traceparent = /^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/
const tracestate = /^[\x20-\x7e]{1,512}$/

/** What such headers say of a trace; nothing where they say nothing that can be meant. */
export function traceHeadersOf(headers: Readonly<Record<string, string | undefined>>): TraceHeaders {
  const { traceparent: parent, tracestate: state } = headers
  if (parent === undefined || !traceparent.test(parent)) return {}
  return { traceparent: parent, ...(state !== undefined && tracestate.test(state) && { tracestate: state }) }
}
