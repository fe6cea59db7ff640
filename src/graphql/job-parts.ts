import type { GraphQLResolveInfo } from 'graphql'
import type { Attempt, Job } from '../events/job.ts'
import type { Wanted } from '../history/history-store.ts'
import { selectedFields } from './selected-fields.ts'

const ofWait = ['status', 'destination', 'queue', 'nextAttemptAt', 'attempts'] as const
const ofExplanation = ['round', 'receivedAt', 'updatedAt', 'deliveredAt', 'failure', 'reported'] as const

/** What each field of a job is made of, beside its number: a list reads no more of its jobs. */
export const madeOf: Readonly<Record<string, readonly (keyof Job)[]>> = {
  __typename: [],
  id: [],
  eventId: ['eventId'],
  correlationId: ['correlationId'],
  eventType: ['eventType'],
  destinationId: ['destination'],
  destination: ['destination'],
  status: ['status'],
  attemptCount: ['attempts'],
  reprocessCount: ['round'],
  failure: ['failure'],
  reported: ['reported'],
  headers: ['headers'],
  receivedAt: ['receivedAt'],
  updatedAt: ['updatedAt'],
  nextAttemptAt: ['nextAttemptAt'],
  deliveredAt: ['deliveredAt'],
  queue: ['queue'],
  tenant: ['cnpj'],
  attempts: [],
  rounds: ['round', 'status', 'receivedAt'],
  body: [],
  payload: ['contentType'],
  wait: ofWait,
  explanation: [...ofWait, ...ofExplanation],
}

/** What an operation selects of the jobs of a connection. */
export function wantedJobs(info: GraphQLResolveInfo): Wanted {
  const fields = selectedFields(info, ['edges', 'node'])
  const attempts = selectedFields(info, ['edges', 'node', 'attempts'])
  return {
    job: [...new Set([...fields].flatMap((name) => madeOf[name] ?? []))],
    attempts: fields.has('attempts') ? attemptParts(attempts) : undefined,
    tenants: fields.has('tenant'),
  }
}

/** Their fields have the names of what they are made of. */
const attemptParts = (fields: ReadonlySet<string>) =>
  [...fields].filter((name) => name !== '__typename') as (keyof Attempt)[]
