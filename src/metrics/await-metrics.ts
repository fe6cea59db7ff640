import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { AwaitReport } from '../sync/await-report.ts'

const answerSeconds = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
const outcomes = {
  replied: 'replied',
  'reply-failed': 'failed',
  pending: 'pending',
  'upstream-failed': 'upstream_failed',
  'too-many': 'too_many',
  error: 'error',
} as const

/** Calls that wait for a webhook; `show` takes how many do so at a scrape. */
export function awaitMetrics(registry: Registry) {
  const registers = [registry]
  const waiting = new Gauge({
    ...{ name: 'gancho_awaited_replies_waiting', registers },
    help: 'Callers who wait for a reply.',
  })
  const answered = new Counter({
    ...{ name: 'gancho_awaited_replies_total', registers, labelNames: ['outcome'] as const },
    help: 'Calls that were answered, by what with.',
  })
  const took = new Histogram({
    ...{ name: 'gancho_awaited_reply_duration_seconds', registers, buckets: answerSeconds },
    help: 'From a call to the answer that its caller got.',
    labelNames: ['outcome'] as const,
  })
  const called = new Counter({
    ...{ name: 'gancho_upstream_calls_total', registers, labelNames: ['upstream', 'outcome'] as const },
    help: 'Calls of upstreams, by what came of them.',
  })
  const report: AwaitReport = {
    answered(kind, tookMs) {
      const outcome = outcomes[kind]
      answered.inc({ outcome })
      took.observe({ outcome }, tookMs / 1_000)
    },
    called(upstream, answer) {
      called.inc({ upstream, outcome: answer.kind === 'accepted' ? 'ACCEPTED' : answer.code })
    },
  }
  return { report, show: (count: number) => waiting.set(count) }
}
