import { setImmediate } from 'node:timers/promises'
import type { Accepted, IncomingEvent } from '../events/event.ts'
import type { Intake } from '../events/intake.ts'
import { replyCandidates } from './reply-candidates.ts'
import type { ReplyDesk } from './reply-desk.ts'
import type { Upstreams } from './upstream/upstream.ts'

type Desk = Pick<ReplyDesk, 'announce' | 'settle'>
type Deps = {
  intake: Intake
  upstreams: Upstreams
  desk: Desk
  /** This instance, where the accept script itself can tell the others. */
  toldBy: string | undefined
}

/**
 * Intake that sees which events answer a call. Finding that out and making the event durable is one step, so that an accepted reply
 * is never lost; telling those who wait comes after it, and their sender does not wait for that.
 */
export function replyIntake({ intake, upstreams, desk, toldBy }: Deps): Intake {
  const all = upstreams.all()
  if (all.length === 0) return intake
  return {
    async accept(event) {
      const candidates = event.named ? undefined : replyCandidates(all, event)
      if (candidates?.length === 0) return intake.accept(event)
      const accepted = await intake.accept({ ...event, ...(candidates && { candidates }), toldBy })
      if (!accepted.reply) return accepted
      announceReply(desk, event, accepted, toldBy !== undefined)
      // Somebody waits for the reply, and nobody for this answer: the caller's goes first.
      await setImmediate()
      return accepted
    },
  }
}

function announceReply(
  desk: Desk,
  { cnpj, body, contentType }: IncomingEvent,
  { reply, ns }: Accepted,
  areOthersTold: boolean,
): void {
  if (!reply || reply.status === 'DUPLICATE') return
  const { awaitId, owners, repliedAt, status } = reply
  const failed = status === 'REPLY_FAILED'
  const n = ns[0] ?? null
  const told = { body, contentType, failed, repliedAt, n }
  if (areOthersTold) desk.settle(awaitId, told, reply.untold)
  else void desk.announce({ cnpj, id: awaitId }, owners, told)
}
