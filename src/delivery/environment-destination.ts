import { defaultDestinationId, defaultQueue } from '../events/routing.ts'
import type { Destination } from './destination.ts'

/** The destination that the environment names: in no store, changed by nobody, signed with nothing. */
export function environmentDestination(url: string): Destination {
  return {
    id: defaultDestinationId,
    ...{ cnpj: null, name: 'environment', url, queue: defaultQueue, active: true },
    ...{ eventTypes: [], filter: null, headers: {}, auth: { kind: 'none' }, signingSecrets: [] },
    ...{ retryScheduleSeconds: null, retryForSeconds: null, finalStatuses: null, timeoutMs: null },
    ...{ maxConcurrency: Number.MAX_SAFE_INTEGER, ratePerSecond: null, deliveryWindow: null, fifo: false },
    ...{ jobDeadlineSeconds: null, disabledAt: null, disabledReason: null },
    ...{ createdAt: 0, updatedAt: 0, version: 1 },
  }
}
