// Each of these adds its types and fields to the builder.
import './awaited-reply.ts'
import './awaited-reply-subscription.ts'
import './bulk-reprocess.ts'
import './call-and-await.ts'
import './destination.ts'
import './destination-breaker.ts'
import './destination-changes.ts'
import './event.ts'
import './job-events.ts'
import './job-explanation.ts'
import './jobs.ts'
import './maintenance.ts'
import './preview-delivery.ts'
import './queue.ts'
import './queue-changes.ts'
import './reprocess-job.ts'
import './source.ts'
import './stats.ts'
import './stream-ticket.ts'
import './tenant.ts'
import './tenant-token.ts'
import './unmatched-replies.ts'
import './update-tenant.ts'
import './viewer.ts'
import { lexicographicSortSchema, printSchema } from 'graphql'
import { builder } from './builder.ts'

export const schema = builder.toSchema()

/** The schema as it is committed in schema.graphql: sorted, so that a change shows as what it is. */
export const printedSchema = () => `${printSchema(lexicographicSortSchema(schema))}\n`
