import type { Redis } from 'ioredis'
import type { Bulk } from '../bulk/bulk.ts'
import type { BulkService } from '../bulk/bulk-service.ts'
import type { DestinationDirectory } from '../delivery/destination-directory.ts'
import type { DestinationService } from '../delivery/destination-service.ts'
import type { ErrorQueue } from '../delivery/error-queue.ts'
import type { Gates } from '../delivery/gates.ts'
import type { JobPlaces } from '../delivery/job-places.ts'
import type { QueueOverview } from '../delivery/queue-overview.ts'
import type { QueuePauses } from '../delivery/queue-pauses.ts'
import type { QueueStats } from '../delivery/queue-stats.ts'
import type { Reprocess } from '../delivery/reprocess.ts'
import type { Intake } from '../events/intake.ts'
import type { Lanes } from '../events/lanes.ts'
import type { SpentOfBurst } from '../events/rate-limit.ts'
import type { JobReader } from '../history/job-reader.ts'
import type { StatsReader } from '../history/stats-reader.ts'
import type { LiveJournal } from '../journal/live-journal.ts'
import type { Correlator } from '../sync/correlator.ts'
import type { RecordUpdates } from '../sync/record-updates.ts'
import type { TenantDirectory } from '../tenants/directory.ts'
import type { TenantInvalidation } from '../tenants/invalidation.ts'
import type { SourceService } from '../tenants/sources/source-service.ts'
import type { StreamPlaces } from '../tenants/stream-places.ts'
import type { StreamTickets } from '../tenants/stream-tickets.ts'
import type { TenantService } from '../tenants/tenant-service.ts'
import type { TenantStore } from '../tenants/tenant-store.ts'

/** What the resolvers stand on. */
export type GraphqlServices = {
  intake: Intake
  jobs: JobReader
  reprocess: Reprocess
  lanes: Lanes
  errorQueue: ErrorQueue
  tenants: TenantService
  sources: SourceService
  destinations: {
    service: DestinationService
    directory: Pick<DestinationDirectory, 'find' | 'get' | 'ofTenant'>
  }
  tenantStore: Pick<TenantStore, 'byCnpjs' | 'count' | 'lastUses' | 'list'>
  directory: Pick<TenantDirectory, 'find' | 'invalidate'>
  invalidation: Pick<TenantInvalidation, 'publish'>
  spentOfBurst: SpentOfBurst
  correlator: Pick<Correlator, 'callAndAwait' | 'awaited' | 'updates'>
  streamPlaces: Pick<StreamPlaces, 'used'>
  streamTickets: Pick<StreamTickets, 'create'>
  gates: Pick<Gates, 'states' | 'reset'>
  jobPlaces: JobPlaces
  queueOverview: QueueOverview
  queueStats: Pick<QueueStats, 'watch'>
  queuePauses: Pick<QueuePauses, 'pause' | 'resume' | 'paused'>
  liveJournal: LiveJournal
  stats: StatsReader
  bulks: { service: BulkService; updates: Pick<RecordUpdates<Bulk>, 'of'> }
  redis: Redis
}
