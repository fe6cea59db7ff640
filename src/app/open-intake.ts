import type { Config } from '../config.ts'
import { createIntake, type Intake } from '../events/intake.ts'
import type { Router } from '../events/routing.ts'
import type { Foundation } from './foundation.ts'

export function openIntake(
  config: Config,
  { connections, dataSet, memory }: Foundation,
  route: Router,
): Intake {
  return createIntake({
    redis: connections.intake,
    route,
    dataSet,
    memoryIsShort: memory.isShort,
    maxBacklog: config.MAX_BACKLOG,
    idempotencyTtlSeconds: config.IDEMPOTENCY_TTL_SECONDS,
  })
}
