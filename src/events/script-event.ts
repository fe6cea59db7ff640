import { hash } from 'node:crypto'
import type { ScriptArgument } from '../redis/scripts.ts'
import type { IncomingEvent } from './event.ts'
import { orderingHash } from './ordering.ts'
import { candidatesForScript, isTold, type NamedReply } from './reply-candidate.ts'
import type { Route } from './routing.ts'

/** An event as the accept script takes it: the sender's headers, the body, and the rest as JSON. */
export type ScriptEvent = readonly [headers: string, body: string | Buffer, rest: string]

/** JSON up to this is sent as text, which costs less than half of what bytes do; a longer one would be in memory twice for long. */
const mostTextBytes = 16 * 1024

export function scriptEvent(
  event: IncomingEvent,
  eventId: string,
  destinations: readonly Route[],
): ScriptEvent {
  const { body, cnpj, eventType, correlationId, headers, idempotencyKey: key, rateLimit } = event
  const contentType = event.contentType ?? undefined
  const answering = candidatesForScript(event)
  const rest = {
    ...{ id: eventId, cnpj, type: eventType ?? '' },
    ...(correlationId !== null && { correlation: correlationId }),
    destinations: inOrder(destinations, event.orderingKey),
    // The headers say it too, but who gets a reply gets its body alone.
    ...((answering || contentType !== headers['content-type']) && { contentType: contentType ?? '' }),
    // Thousandths of an event a second.
    ...(rateLimit && { rate: Math.round(rateLimit.perSecond * 1_000), burst: rateLimit.burst }),
    ...(key !== null && { key: digest(key), bodyHash: digest(body) }),
    ...answering,
  }
  return [JSON.stringify(headers), bodyForScript(event), JSON.stringify(rest)]
}

/** An event that names the awaited reply that it is, as its script takes it. */
export function scriptReply(
  event: IncomingEvent,
  eventId: string,
  { awaitId, failed }: NamedReply,
  destinations: readonly Route[],
): ScriptArgument[] {
  const args: ScriptArgument[] = [
    ...[awaitId, failed ? '1' : '', eventId, event.cnpj, event.eventType ?? ''],
    ...[JSON.stringify(event.headers), bodyForScript(event), event.contentType ?? ''],
    ...[event.correlationId ?? '', event.toldBy ?? '', isTold(event) ? '1' : ''],
  ]
  for (const { destination, queue, ordering } of inOrder(destinations, event.orderingKey))
    args.push(destination, queue, ordering ?? '')
  return args
}

/** What was read as JSON is UTF-8, and so are these bytes again. */
const bodyForScript = ({ json, body }: Pick<IncomingEvent, 'json' | 'body'>) =>
  json !== undefined && body.length <= mostTextBytes ? body.toString('utf8') : body

const digest = (content: string | Buffer) => hash('sha256', content, 'base64url')

/** With the hash of the event's ordering key where they keep its order. */
function inOrder(
  routes: readonly Route[],
  key: string | null | undefined,
): readonly (Route & { ordering?: string })[] {
  if (key == null) return routes
  const ordering = orderingHash(key)
  return routes.map((route) => (route.fifo ? { ...route, ordering } : route))
}
