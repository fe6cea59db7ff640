import { defaultDestinationId, defaultQueue } from '../events/routing.ts'
import type { Destination, DestinationAuth } from './destination.ts'

/**
 * The destination that the environment names: in no store, changed by nobody. A name and password in its URL are sent as HTTP Basic;
 * without secrets its requests are not signed.
 */
export function environmentDestination(urlText: string, secrets: readonly string[] = []): Destination {
  const { url, auth } = apart(urlText)
  const signingSecrets = secrets.map((secret) => ({ secret, endsAt: null }))
  return {
    id: defaultDestinationId,
    ...{ cnpj: null, name: 'environment', url, queue: defaultQueue, active: true },
    ...{ eventTypes: [], filter: null, headers: {}, auth, signingSecrets },
    ...{ retryScheduleSeconds: null, retryForSeconds: null, finalStatuses: null, timeoutMs: null },
    ...{ maxConcurrency: Number.MAX_SAFE_INTEGER, ratePerSecond: null, deliveryWindow: null },
    ...{ fifo: false, fifoBlockSeconds: null },
    ...{ jobDeadlineSeconds: null, disabledAt: null, disabledReason: null },
    ...{ createdAt: 0, updatedAt: 0, version: 1 },
  }
}

function apart(text: string): { url: string; auth: DestinationAuth } {
  const url = URL.parse(text)
  if (!url || (url.username === '' && url.password === '')) return { url: text, auth: { kind: 'none' } }
  const [username, password] = [url.username, url.password].map(decoded) as [string, string]
  url.username = ''
  url.password = ''
  return { url: url.href, auth: { kind: 'basic', username, password } }
}

/** A percent sign that begins no escape stays one, as in the URL standard. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
