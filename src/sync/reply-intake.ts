import type { Accepted, IncomingEvent } from '../events/event.ts'
import type { Intake } from '../events/intake.ts'
import { replyCandidates } from './reply-candidates.ts'
import type { ReplyDesk } from './reply-desk.ts'
import type { Upstreams } from './upstream/upstream.ts'

type Deps = { intake: Intake; upstreams: Upstreams; desk: Pick<ReplyDesk, 'announce'> }

/**
 * Intake that sees which events answer a call. Finding that out and making the event durable is one step, so that an accepted reply
 * is never lost; telling those who wait comes after it, and their sender does not wait for that.
 */
export function replyIntake({ intake, upstreams, desk }: Deps): Intake {
  const all = upstreams.all()
  if (all.length === 0) return intake
  return {
    async accept(event) {
      const candidates = event.candidates ?? replyCandidates(all, event)
      if (candidates.length === 0) return intake.accept(event)
      const accepted = await intake.accept({ ...event, candidates })
      announceReply(desk, event, accepted)
      return accepted
    },
  }
}

function announceReply(
  desk: Pick<ReplyDesk, 'announce'>,
  { cnpj, body, contentType }: IncomingEvent,
  { reply, ns }: Accepted,
): void {
  if (!reply || reply.status === 'DUPLICATE') return
  const { awaitId, owners, repliedAt, status } = reply
  const failed = status === 'REPLY_FAILED'
  const n = ns[0] ?? null
  void desk.announce({ cnpj, id: awaitId }, owners, { body, contentType, failed, repliedAt, n })
}
