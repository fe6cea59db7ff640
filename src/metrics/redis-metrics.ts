import { Gauge, type Registry } from 'prom-client'
import type { QueueFigures, RedisFigures } from './redis-figures.ts'

/** What Redis holds, shown at a scrape; while Redis is away nothing but that is shown. */
export function redisMetrics(registry: Registry) {
  const registers = [registry]
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const up = gauge('gancho_redis_up', 'Whether Redis answers.')
  const one = {
    roundTrip: gauge('gancho_redis_round_trip_seconds', 'How long Redis took to answer a ping.'),
    memory: gauge(
      'gancho_redis_memory_used_ratio',
      'Memory that Redis uses, as a part of its maxmemory; 0 without one.',
    ),
    backlog: gauge(
      'gancho_backlog_events',
      'Jobs that wait to be given to workers: not dispatched yet, or kept back until it is their turn.',
    ),
    journal: gauge('gancho_journal_entries', 'Entries of the journal.'),
    lag: gauge('gancho_projector_lag_seconds', 'Age of the oldest change that history does not have yet.'),
    tailLag: gauge(
      'gancho_journal_tail_lag_seconds',
      'Age of the oldest change that the subscribers of this process have not been given.',
    ),
  }
  const jobs = new Gauge({
    ...{ name: 'gancho_queue_jobs', registers, labelNames: ['queue', 'state'] as const },
    help: 'Jobs of a queue: waiting, active, delayed (until their next attempt), failed (in its error queue).',
  })
  const oldest = new Gauge({
    ...{ name: 'gancho_queue_oldest_waiting_seconds', registers, labelNames: ['queue'] as const },
    help: 'For how long the oldest job that waits for a worker has been ready.',
  })
  const paused = new Gauge({
    ...{ name: 'gancho_queue_paused', registers, labelNames: ['queue'] as const },
    help: 'Whether a queue is paused.',
  })

  const breakers = new Gauge({
    ...{ name: 'gancho_breakers_open', registers, labelNames: ['queue'] as const },
    help: 'Destinations of a queue whose breaker is open, or being tried.',
  })

  const show = ({
    name: queue,
    paused: isPaused,
    oldestWaitingMs,
    openBreakers,
    ...counts
  }: QueueFigures) => {
    breakers.set({ queue }, openBreakers)
    for (const [state, count] of Object.entries(counts)) jobs.set({ queue, state }, count)
    oldest.set({ queue }, oldestWaitingMs / 1_000)
    paused.set({ queue }, isPaused ? 1 : 0)
  }

  return (figures: RedisFigures | null): void => {
    up.set(figures ? 1 : 0)
    for (const part of [jobs, oldest, paused, breakers]) part.reset()
    for (const part of Object.values(one)) part.remove()
    if (!figures) return
    one.roundTrip.set(figures.roundTripMs / 1_000)
    one.memory.set(figures.memoryShare)
    one.backlog.set(figures.backlog)
    one.journal.set(figures.journal)
    one.lag.set(figures.projectorLagMs / 1_000)
    one.tailLag.set(figures.tailLagMs / 1_000)
    figures.queues.forEach(show)
  }
}
