import type { JobInHand } from '../events/job.ts'
import type { DeliveryRequest } from './attempt.ts'
import { deliveryHeaders } from './delivery-headers.ts'
import type { Destination, DestinationAuth } from './destination.ts'
import { hiddenSecrets } from './hidden-secrets.ts'
import { signature } from './signature.ts'

/** The request of attempt number `attemptNumber` (from 1, over all rounds), with the time and the signature of this moment. */
export function deliveryRequest(
  destination: Pick<Destination, 'id' | 'url' | 'headers' | 'auth' | 'signingSecrets'>,
  job: JobInHand,
  body: Buffer,
  attemptNumber: number,
  nowMs: number,
): DeliveryRequest {
  const own = { ...lowerCase(destination.headers), ...authHeaders(destination.auth) }
  const headers = deliveryHeaders(job, attemptNumber, nowMs, { id: destination.id, headers: own })
  const { 'webhook-id': id = '', 'webhook-timestamp': timestamp = '' } = headers
  const signed = signature(destination.signingSecrets, { id, timestamp, body }, nowMs)
  if (signed !== undefined) headers['webhook-signature'] = signed
  return { url: destination.url, headers, body, hidden: hiddenSecrets(own, destination) }
}

const lowerCase = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

function authHeaders(auth: DestinationAuth): Record<string, string> {
  if (auth.kind === 'none') return {}
  if (auth.kind === 'header') return { [auth.name.toLowerCase()]: auth.value }
  if (auth.kind === 'bearer') return { authorization: `Bearer ${auth.token}` }
  // RFC 7617, with UTF-8 for what ASCII does not hold.
  const credentials = Buffer.from(`${auth.username}:${auth.password}`).toString('base64')
  return { authorization: `Basic ${credentials}` }
}
