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
import { isObjectType, lexicographicSortSchema, printSchema } from 'graphql'
import { type Job, jobId } from '../events/job.ts'
import type { Tenant } from '../tenants/tenant.ts'
import { builder } from './builder.ts'
import { encodeGlobalId } from './global-id.ts'
import { madeOf } from './job-parts.ts'

export const schema = builder.toSchema()
plainIds<Job>('Job', ({ n }) => jobId(n))
plainIds<Tenant>('Tenant', ({ cnpj }) => cnpj)

for (const name of Object.keys(fieldsOf('Job')))
  if (!madeOf[name]) throw new Error(`job-parts.ts does not say what ${name} of a job is made of.`)

function fieldsOf(name: string) {
  const type = schema.getType(name)
  return isObjectType(type) ? type.getFields() : {}
}

/** Pothos makes a promise of each id, and with it of each object that has one, for which a page of them waits. */
function plainIds<Node>(name: string, idOf: (node: Node) => string): void {
  const field = fieldsOf(name).id
  if (!field) throw new Error(`There is no id of a ${name}.`)
  field.resolve = (node: Node) => encodeGlobalId(name, idOf(node))
}

/** The schema as it is committed in schema.graphql: sorted, so that a change shows as what it is. */
export const printedSchema = () => `${printSchema(lexicographicSortSchema(schema))}\n`
