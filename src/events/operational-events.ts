/**
 * Events that Gancho itself makes, of what becomes of destinations and jobs. Nobody else posts such types, and only destinations that
 * name them get them.
 */
const prefix = 'gancho.'

export type OperationKind = 'breaker.opened' | 'breaker.closed' | 'destination.disabled' | 'job.failed'

export const operationalType = (kind: OperationKind) => `${prefix}${kind}`

/** Whatever becomes of one is told in no further event. The scripts know them by the same prefix. */
export const isOperational = (eventType: string | null): eventType is string =>
  eventType?.startsWith(prefix) ?? false
