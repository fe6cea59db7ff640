import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { DeliveryReport } from '../delivery/delivery-report.ts'
import { createErrorQueue, type ErrorQueue } from '../delivery/error-queue.ts'
import type { OperationReport } from '../delivery/operations.ts'
import { createJobRecords, type JobRecords } from '../events/job-records.ts'
import { createLanes, type Lanes, scheduleReleased } from '../events/lanes.ts'
import { defaultQueue } from '../events/routing.ts'
import { createTransitions, type Transitions } from '../events/transitions.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Destinations } from './destinations.ts'
import type { Foundation } from './foundation.ts'

export type WorkerDeps = {
  config: Config
  foundation: Foundation
  log: Logger
  /** Name of this process, unique. */
  owner: string
  destinations: Destinations
  /** Told what deliveries come to. */
  report: DeliveryReport
  tracing: Tracing | undefined
  reportOperation: OperationReport
}

/** What the parts of a worker share; all of it waits while Redis is away. */
export type WorkerParts = WorkerDeps & {
  redis: Redis
  lanes: Lanes
  errorQueue: ErrorQueue
  records: JobRecords
  transitions: Transitions
}

export function openWorkerParts(deps: WorkerDeps): WorkerParts {
  const { patient: redis, patientOf } = deps.foundation.connections
  const lanes = createLanes(redis, [defaultQueue], patientOf)
  return {
    ...deps,
    redis,
    lanes,
    errorQueue: createErrorQueue(lanes),
    records: createJobRecords(redis),
    transitions: createTransitions(redis, {
      graceMs: deps.config.SWEEP_INTERVAL_MS,
      schedule: scheduleReleased(lanes, deps.log),
    }),
  }
}
