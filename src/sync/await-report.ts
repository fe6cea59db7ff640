import type { CallAndAwait, CallOutcome } from './call-and-await.ts'
import type { UpstreamAnswer, Upstreams } from './upstream/upstream.ts'

/** Told what callers are answered, and what upstreams answer. Must not throw. */
export type AwaitReport = {
  /** `error`: with an error in place of an outcome. `tookMs`: from the call to its answer. */
  answered(outcome: CallOutcome['kind'] | 'error', tookMs: number): void
  called(upstream: string, answer: UpstreamAnswer): void
}

/** Calls that report by themselves, after the answer: somebody waits for that. */
export function reportedCalls(callAndAwait: CallAndAwait, report: AwaitReport): CallAndAwait {
  return async (request) => {
    const startedAt = performance.now()
    let kind: CallOutcome['kind'] | 'error' = 'error'
    try {
      const outcome = await callAndAwait(request)
      kind = outcome.kind
      return outcome
    } finally {
      const tookMs = performance.now() - startedAt
      setImmediate(() => report.answered(kind, tookMs))
    }
  }
}

/** Upstreams that report what they answer. */
export function reportedUpstreams(upstreams: Upstreams, report: AwaitReport): Upstreams {
  const all = upstreams.all().map((upstream) => ({
    ...upstream,
    async call(request: Parameters<typeof upstream.call>[0]) {
      const answer = await upstream.call(request)
      report.called(upstream.name, answer)
      return answer
    },
  }))
  const byName = new Map(all.map((upstream) => [upstream.name, upstream]))
  return {
    get(name) {
      const found = upstreams.get(name)
      return found && byName.get(found.name)
    },
    all: () => all,
  }
}
