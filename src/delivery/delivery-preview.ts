import type { Job } from '../events/job.ts'
import { deliveryMethod, shownHeaders } from './attempt.ts'
import { deliveryRequest } from './delivery-request.ts'
import type { Destination } from './destination.ts'

export type DeliveryPreview = {
  method: string
  url: string
  /** As an attempt would record them: secrets masked, the signature of this moment in the clear. */
  headers: Record<string, string>
  body: Buffer
}

/** The request that the job's next attempt would make if it went to this destination now. Nothing is sent or changed. */
export function deliveryPreview(
  destination: Destination,
  job: Job,
  body: Buffer,
  nowMs: number,
): DeliveryPreview {
  const request = deliveryRequest(destination, job, body, job.attempts + 1, nowMs)
  return {
    method: deliveryMethod,
    url: request.url,
    headers: shownHeaders(request, URL.parse(request.url)),
    body,
  }
}
