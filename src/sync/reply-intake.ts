import { setTimeout as sleep } from 'node:timers/promises'
import type { IncomingEvent } from '../events/event.ts'
import type { Intake } from '../events/intake.ts'
import type { MatchedReply } from '../events/reply-candidate.ts'
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
 * Somebody waits for a reply, and nobody for its sender's answer: where processors are few, making that would be in the way of whoever
 * tells the caller, which is this process, or Redis and another instance.
 */
const callersFirstMs = 1

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
      const { reply, ns } = accepted
      if (!reply || reply.status === 'DUPLICATE') return accepted
      announceReply(desk, event, { reply, n: ns[0] ?? null }, toldBy !== undefined)
      if (reply.status !== 'LATE') await sleep(callersFirstMs)
      return accepted
    },
  }
}

function announceReply(
  desk: Desk,
  { cnpj, body, contentType }: IncomingEvent,
  { reply, n }: { reply: MatchedReply; n: number | null },
  areOthersTold: boolean,
): void {
  const { awaitId, owners, repliedAt, status } = reply
  const failed = status === 'REPLY_FAILED'
  const told = { body, contentType, failed, repliedAt, n }
  if (areOthersTold) desk.settle(awaitId, told, reply.untold)
  else void desk.announce({ cnpj, id: awaitId }, owners, told)
}
