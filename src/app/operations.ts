import { operationTelling } from '../delivery/operations.ts'
import { createLease } from '../redis/lease.ts'
import { repeat } from '../redis/repeat.ts'
import { openIntake } from './open-intake.ts'
import type { WorkerParts } from './worker-parts.ts'

const turnMs = 500
const leaseMs = 10_000

/** Tells people what becomes of destinations and jobs. */
export function tellingOperations({
  config,
  foundation,
  redis,
  destinations,
  log,
  owner,
  ...parts
}: WorkerParts) {
  const { directory, route } = destinations
  const turn = operationTelling({
    ...{ redis, directory, route, log, now: Date.now },
    store: foundation.stores.destinations,
    lease: createLease(redis, 'operations', owner, leaseMs),
    intake: openIntake(config, foundation, route),
    report: parts.reportOperation,
  })
  return repeat({ name: 'operations', log, everyMs: turnMs, turn })
}
