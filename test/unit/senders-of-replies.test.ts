import { expect, test } from 'vitest'
import type { MatchedReply } from '../../src/events/reply-candidate.ts'
import { replyIntake } from '../../src/sync/reply-intake.ts'
import { sampleEvent } from '../support/core.ts'
import { testUpstream, upstreamsOf } from '../support/upstreams.ts'

const named = { awaitId: 'aw_1', failed: false, deliver: true }

/** Who knows of a reply with this status before the event loop's next turn, in order, and whether its sender does so in the end. */
async function toldOf(status: MatchedReply['status'] | undefined) {
  const told: string[] = []
  const reply = status && { awaitId: 'aw_1', status, owners: ['me'], repliedAt: 1, untold: undefined }
  const intake = replyIntake({
    intake: { accept: async () => ({ eventId: 'e', ns: [7], repeated: false, ...(reply && { reply }) }) },
    upstreams: upstreamsOf([testUpstream()]),
    desk: { settle: () => told.push('caller'), announce: async () => {} },
    toldBy: 'me',
  })
  const accepting = intake.accept({ ...sampleEvent, named }).then(({ ns }) => told.push(`sender of ${ns}`))
  for (let step = 0; step < 20; step += 1) await undefined
  const atOnce = [...told]
  await accepting
  return { atOnce, last: told.at(-1) }
}

test.each(['REPLIED', 'REPLY_FAILED'] as const)(
  'the sender of a reply that is waited for is answered after its caller: %s',
  async (status) => {
    expect(await toldOf(status)).toEqual({ atOnce: ['caller'], last: 'sender of 7' })
  },
)

test('one for whose reply nobody waits is answered at once', async () => {
  expect((await toldOf('LATE')).atOnce).toEqual(['caller', 'sender of 7'])
  for (const status of ['DUPLICATE', undefined] as const)
    expect((await toldOf(status)).atOnce).toEqual(['sender of 7'])
})
