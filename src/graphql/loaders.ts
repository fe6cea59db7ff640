import DataLoader from 'dataloader'
import type { GateState } from '../delivery/gates.ts'
import type { JobPlace } from '../delivery/job-places.ts'
import type { QueueCounts } from '../delivery/queue-overview.ts'
import type { QueuePause } from '../delivery/queue-pauses.ts'
import { type SeenWorker, seenWorkers } from '../delivery/seen-workers.ts'
import type { Attempt, Job, JobRound } from '../events/job.ts'
import { maySee } from '../history/visible-jobs.ts'
import type { Principal } from '../tenants/principal.ts'
import type { Source } from '../tenants/sources/source.ts'
import type { Tenant, TenantToken } from '../tenants/tenant.ts'
import type { GraphqlServices } from './services.ts'

/** Collects what the resolvers of one request ask for, so that each kind of thing is read once for all of them. */
export type Loaders = {
  /** Null for what the principal may not see, as for what is not there. */
  job: DataLoader<number, Job | null>
  attempts: DataLoader<number, Attempt[]>
  /** Rounds after the first. */
  rounds: DataLoader<number, JobRound[]>
  body: DataLoader<number, Buffer | null>
  tenant: DataLoader<string, Tenant | null>
  /** When a tenant last used one of its tokens or sources, epoch milliseconds. */
  lastUse: DataLoader<string, number | null>
  tokens: DataLoader<string, TenantToken[]>
  sources: DataLoader<string, Source[]>
  queueCounts: DataLoader<string, QueueCounts>
  /** Null for a queue that is not paused. */
  queuePause: DataLoader<string, QueuePause | null>
  /** The same for every queue. */
  workers: DataLoader<'all', SeenWorker[]>
  /** By the id of the destination. */
  gate: DataLoader<string, GateState>
  /** By the number of the job. */
  place: DataLoader<number, JobPlace>
}

/** Bodies are up to a megabyte each, and are kept until the request is over. */
const bodiesPerRead = 50

/**
 * Loaders of one request: what they read, they keep. With `turn`, whatever goes on with something that was read waits for a turn of its
 * own, and reads wait behind all that came before them.
 */
export function createLoaders(
  services: GraphqlServices,
  principal: Principal,
  turn?: () => Promise<unknown>,
): Loaders {
  const { jobs, tenants, sources, tenantStore, queueOverview, gates, jobPlaces } = services
  const loader = turn ? pacedLoader(turn) : plainLoader
  const tenant = loader<string, Tenant | null>(async (cnpjs) => {
    const found = new Map((await tenantStore.byCnpjs(cnpjs)).map((one) => [one.cnpj, one]))
    return cnpjs.map((cnpj) => found.get(cnpj) ?? null)
  })
  if (principal.kind === 'tenant') tenant.prime(principal.tenant.cnpj, principal.tenant)
  return {
    tenant,
    lastUse: loader(async (cnpjs) => {
      const found = new Map((await tenantStore.lastUses(cnpjs)).map(({ cnpj, at }) => [cnpj, at]))
      return cnpjs.map((cnpj) => found.get(cnpj) ?? null)
    }),
    tokens: loader(async (cnpjs) => {
      const found = Map.groupBy(await tenants.tokensOf(cnpjs), ({ cnpj }) => cnpj)
      return cnpjs.map((cnpj) => found.get(cnpj) ?? [])
    }),
    sources: new DataLoader(async (cnpjs) => {
      const found = Map.groupBy(await sources.sourcesOf(cnpjs), ({ cnpj }) => cnpj)
      return cnpjs.map((cnpj) => found.get(cnpj) ?? [])
    }),
    job: loader(async (ns) => {
      const visible = (await jobs.jobs(ns)).filter((job) => maySee(principal, job.cnpj))
      const found = new Map(visible.map((job) => [job.n, job]))
      return ns.map((n) => found.get(n) ?? null)
    }),
    attempts: loader(async (ns) => {
      const found = await jobs.attempts(ns)
      return ns.map((n) => found.get(n) ?? [])
    }),
    rounds: loader(async (ns) => {
      const found = await jobs.rounds(ns)
      return ns.map((n) => found.get(n) ?? [])
    }),
    body: loader(
      async (ns) => {
        const found = await jobs.bodies(ns)
        return ns.map((n) => found.get(n) ?? null)
      },
      { maxBatchSize: bodiesPerRead },
    ),
    gate: loader((destinations) => gates.states(destinations)),
    place: loader((ns) => jobPlaces(ns)),
    queueCounts: loader((names) => Promise.all(names.map((name) => queueOverview.counts(name)))),
    workers: loader(async (asked) => {
      const seen = await seenWorkers(services.redis)
      return asked.map(() => seen)
    }),
    queuePause: loader(async (names) => {
      const found = await services.queuePauses.paused()
      return names.map((name) => found.get(name) ?? null)
    }),
  }
}

type Read<Key, Value> = (keys: readonly Key[]) => Promise<Value[]>
type Most = { maxBatchSize?: number }

const plainLoader = <Key, Value>(read: Read<Key, Value>, most: Most = {}) => new DataLoader(read, most)

/** A read begins when all that asked in the same moment had their turns, so it is still one read for all of them. */
const pacedLoader =
  (turn: () => Promise<unknown>) =>
  <Key, Value>(read: Read<Key, Value>, most: Most = {}) => {
    const paced = async (keys: readonly Key[]) => {
      const values = await read(keys)
      // What is loaded becomes what these promises become.
      return values.map((value) => turn().then(() => value)) as unknown as Value[]
    }
    return new DataLoader<Key, Value>(paced, {
      ...most,
      batchScheduleFn: (dispatch) => void turn().then(dispatch),
    })
  }
