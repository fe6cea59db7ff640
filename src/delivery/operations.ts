import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import type { Intake } from '../events/intake.ts'
import { type OperationKind, operationalType } from '../events/operational-events.ts'
import type { Router } from '../events/routing.ts'
import { keys } from '../redis/keys.ts'
import type { Lease } from '../redis/lease.ts'
import type { DestinationSettings } from './destination.ts'
import type { DestinationDirectory } from './destination-directory.ts'
import type { DestinationServiceDeps } from './destination-service.ts'
import type { DestinationStore } from './destination-store.ts'
import { type Operation, operationFacts, parseOperation } from './operation.ts'

/** Told of each operation. Must not throw. */
export type OperationReport = (kind: OperationKind) => void

type Deps = {
  redis: Redis
  /** One process at a time tells; a second one would tell the same, under the same idempotency keys. */
  lease: Pick<Lease, 'hold'>
  intake: Intake
  route: Router
  directory: Pick<DestinationDirectory, 'get'>
  store: Pick<DestinationStore, 'byId'>
  log: Pick<Logger, 'info' | 'warn'>
  report: OperationReport
  /** Epoch milliseconds. */
  now: () => number
}

const batchSize = 100
/** How long a destination that is to be disabled may take to be so, before that counts as not done. */
const disablingMs = 60_000

/**
 * Tells what the scripts put down: one line in the log each, and one event to the destinations that name its type. An operation is
 * taken off the list once its event is durable, and has the same idempotency key however often that is tried.
 * @returns one turn, which resolves to whether there is more
 */
export function operationTelling(deps: Deps): () => Promise<boolean> {
  const { redis, directory, store } = deps

  /** Undefined for one that did not come about. */
  async function verified({
    kind,
    fields,
    at,
  }: Operation): Promise<DestinationSettings | undefined | 'later'> {
    const { destination: id = '', version } = fields
    if (kind !== 'destination.disabled') return directory.get(id)?.settings
    const stored = await store.byId(id)
    if (stored && stored.disabledAt !== null && stored.version >= Number(version)) return stored
    return stored && deps.now() - at < disablingMs ? 'later' : undefined
  }

  /** What is in the log already, and waits for its event to be made. */
  const logged = new Set<string>()

  function logOne({ id, kind }: Operation, cnpj: string | null, facts: object): void {
    if (logged.has(id)) return
    logged.add(id)
    deps.log[kind === 'breaker.closed' ? 'info' : 'warn']({ operation: kind, cnpj, ...facts }, kind)
    deps.report(kind)
  }

  async function tellOne(operation: Operation): Promise<boolean> {
    const { kind, id, at, fields } = operation
    const destination = await verified(operation)
    if (destination === 'later') return false
    if (kind === 'destination.disabled' && !destination) return true
    const cnpj = fields.cnpj ?? destination?.cnpj ?? null
    const facts = operationFacts(operation, destination)
    // First, because what keeps its event from being made may be the very trouble that it tells of.
    logOne(operation, cnpj, facts)
    if (cnpj !== null) await publish(deps, { kind, cnpj, at, facts, key: `operation:${id}` })
    return true
  }

  /** None of them holds up the others, whatever keeps it from being told. */
  async function tellAll(operations: readonly Operation[]): Promise<{ told: number; trouble: unknown[] }> {
    let told = 0
    const trouble: unknown[] = []
    for (const operation of operations) {
      try {
        if (!(await tellOne(operation))) continue
      } catch (error) {
        trouble.push(error)
        continue
      }
      await redis.xdel(keys.operations, operation.id)
      logged.delete(operation.id)
      told += 1
    }
    return { told, trouble }
  }

  let from = '-'
  return async () => {
    if (!(await deps.lease.hold())) {
      logged.clear()
      return false
    }
    const entries = (await redis.xrange(keys.operations, from, '+', 'COUNT', batchSize)) as [
      string,
      string[],
    ][]
    const last = entries.at(-1)
    // Those that are left are tried again after all that stand behind them.
    from = last && entries.length === batchSize ? `(${last[0]}` : '-'
    const { told, trouble } = await tellAll(entries.map(parseOperation))
    if (trouble.length > 0) throw trouble[0]
    return told === batchSize
  }
}

type Told = { kind: OperationKind; cnpj: string; at: number; facts: object; key: string }

async function publish({ intake, route }: Deps, { kind, cnpj, at, facts, key }: Told): Promise<void> {
  const contentType = 'application/json'
  const json = { type: operationalType(kind), timestamp: new Date(at).toISOString(), data: facts }
  const event = {
    ...{ cnpj, eventType: operationalType(kind), correlationId: null, contentType, json },
    headers: { 'content-type': contentType },
    body: Buffer.from(JSON.stringify(json)),
  }
  // Most tenants listen to none: their failures cost no number.
  if (route(event).length === 0) return
  try {
    await intake.accept({ ...event, idempotencyKey: key, operational: true })
  } catch (error) {
    // It was made before, when the destination had another name.
    if (!(error instanceof GanchoError) || error.code !== 'IDEMPOTENCY_CONFLICT') throw error
  }
}

/** Puts down that a destination is about to be disabled; it is told once that has come about. */
export function disablingTold(
  redis: Pick<Redis, 'xadd'>,
  now: () => number,
): DestinationServiceDeps['tellOfDisabling'] {
  return async ({ id, version }, reason) => {
    const kind: OperationKind = 'destination.disabled'
    const fields = ['kind', kind, 'at', now(), 'destination', id, 'version', version, 'reason', reason]
    await redis.xadd(keys.operations, 'MAXLEN', '~', 10_000, '*', ...fields)
  }
}
