import type { OperationKind } from '../events/operational-events.ts'
import type { DestinationSettings } from './destination.ts'

/** Something worth telling people, as the scripts put it down: what, when (epoch milliseconds), and facts that depend on what. */
export type Operation = {
  /** Id in the stream. */
  id: string
  kind: OperationKind
  at: number
  fields: Readonly<Record<string, string>>
}

export function parseOperation([id, pairs]: [string, string[]]): Operation {
  const fields: Record<string, string> = {}
  for (let i = 0; i + 1 < pairs.length; i += 2) fields[pairs[i] ?? ''] = pairs[i + 1] ?? ''
  const { kind = '', at = '0', ...facts } = fields
  return { id, kind: kind as OperationKind, at: Number(at), fields: facts }
}

type Facts = Record<string, unknown>

const time = (ms: string | undefined) => (ms ? new Date(Number(ms)).toISOString() : null)

const factsOf: Record<OperationKind, (fields: Operation['fields']) => Facts> = {
  'breaker.opened': ({ failureRate, probesAt }) => ({
    failureRate: Number(failureRate),
    probesAt: time(probesAt),
  }),
  'breaker.closed': ({ openedAt, cause }) => ({ openedAt: time(openedAt), cause }),
  'destination.disabled': ({ reason }) => ({ reason }),
  'job.failed': ({ n, event, type, queue, failure = '{}', leftOut }) => {
    const { reason, error, statusCode, attempts } = JSON.parse(failure) as Facts
    const job = { jobId: `ID-${n}`, eventId: event, eventType: type || null, queue }
    return { ...job, reason, error, statusCode, attempts, leftOutInMinuteBefore: Number(leftOut) }
  },
}

/** What is told of it, in webhooks and in the log alike. */
export function operationFacts(
  { kind, fields }: Operation,
  destination: Pick<DestinationSettings, 'name'> | undefined,
): Facts {
  return {
    destinationId: fields.destination,
    destinationName: destination?.name ?? null,
    ...factsOf[kind](fields),
  }
}
