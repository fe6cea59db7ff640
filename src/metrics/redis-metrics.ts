import { Gauge, type Registry } from 'prom-client'
import type { RedisFigures } from './redis-figures.ts'

/** What Redis holds, shown at a scrape; while Redis is away nothing but that is shown. */
export function redisMetrics(registry: Registry) {
  const registers = [registry]
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const up = gauge('gancho_redis_up', 'Whether Redis answers.')
  const one = {
    roundTrip: gauge('gancho_redis_round_trip_seconds', 'How long Redis took to answer a ping.'),
    backlog: gauge('gancho_backlog_events', 'Accepted events that no dispatcher has taken yet.'),
    journal: gauge('gancho_journal_entries', 'Entries of the journal.'),
    lag: gauge('gancho_projector_lag_seconds', 'Age of the oldest change that history does not have yet.'),
  }
  const jobs = new Gauge({
    ...{ name: 'gancho_queue_jobs', registers, labelNames: ['queue', 'state'] as const },
    help: 'Jobs of a queue: waiting, active, delayed (until their next attempt), failed (in its error queue).',
  })
  const paused = new Gauge({
    ...{ name: 'gancho_queue_paused', registers, labelNames: ['queue'] as const },
    help: 'Whether a queue is paused.',
  })

  return (figures: RedisFigures | null): void => {
    up.set(figures ? 1 : 0)
    jobs.reset()
    paused.reset()
    for (const part of Object.values(one)) part.remove()
    if (!figures) return
    one.roundTrip.set(figures.roundTripMs / 1_000)
    one.backlog.set(figures.backlog)
    one.journal.set(figures.journal)
    one.lag.set(figures.projectorLagMs / 1_000)
    for (const { name: queue, paused: isPaused, ...counts } of figures.queues) {
      for (const [state, count] of Object.entries(counts)) jobs.set({ queue, state }, count)
      paused.set({ queue }, isPaused ? 1 : 0)
    }
  }
}
