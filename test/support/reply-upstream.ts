import { setTimeout as sleep } from 'node:timers/promises'
import { until } from './client.ts'
import type { Received } from './receiver.ts'
import type { Fate } from './reply-fates.ts'
import { json, startUpstreamServer } from './upstream-server.ts'

type Gateways = {
  origins: readonly string[]
  tokens: readonly string[]
  /** Whether the deadline of this awaited reply is over. */
  isOverdue: (awaitId: string) => Promise<boolean>
}

export type ReplyUpstream = {
  origin: string
  /** To be told before it is called. */
  callBackTo(gateways: Gateways): void
  /** How often each call came. */
  calls: Map<number, number>
  /** Calls of which a reply was sent again, because nobody answered that it was taken; it may have been. */
  sentAgain: ReadonlySet<number>
  /** Calls whose replies are all taken by a gateway, the second ones too. */
  replied(): number
  /** Resolves in the moment in which half of the first replies are taken. */
  halfReplied: Promise<void>
  /** The caller of this call has an answer, or none will come. */
  callerIsGone(mark: number): void
  /** The second gateway is lost: who waited for that is replied to. */
  lost(): void
  close(): Promise<void>
}

/**
 * An upstream that does with each call what its fate says. Nobody is called back, but those whose reply is early, until all have
 * called. A reply that no gateway takes is sent to the other one, like a real upstream that tries again.
 */
export async function startReplyUpstream(fates: readonly Fate[]): Promise<ReplyUpstream> {
  const calls = new Map<number, number>()
  const everyoneWaits = Promise.withResolvers<void>()
  const halfReplied = Promise.withResolvers<void>()
  const lost = Promise.withResolvers<void>()
  const told = Promise.withResolvers<Gateways>()
  const callers = fates.map(() => Promise.withResolvers<void>())
  const failures: unknown[] = []
  const sentAgain = new Set<number>()
  let first = 0
  let replied = 0

  const reply = async (fate: Fate, callbackPath: string) => {
    const gateways = await told.promise
    const post = async (nth: number) => {
      if (await postUntilTaken(gateways, fate, callbackPath, nth)) sentAgain.add(fate.mark)
    }
    await post(1)
    first += 1
    if (first === Math.floor(fates.length / 2)) halfReplied.resolve()
    if (fate.timing === 'double') await post(2)
    replied += 1
  }
  const untilLate = async ({ mark }: Fate, callbackPath: string) => {
    await callers[mark]?.promise
    // By Redis' clock, which may be a moment after its caller stopped to wait.
    const awaitId = callbackPath.split('/').at(-1)?.split('.')[0] ?? ''
    const { isOverdue } = await told.promise
    await until(() => isOverdue(awaitId), { what: `the deadline of call ${mark}` })
  }
  const replyInTime = async (fate: Fate, callbackPath: string) => {
    await everyoneWaits.promise
    if (fate.timing === 'late') await untilLate(fate, callbackPath)
    await sleep(fate.delayMs)
    if (fate.outlastsLoss) await lost.promise
    await reply(fate, callbackPath)
  }
  const take = async (fate: Fate, callbackPath: string) => {
    const times = (calls.get(fate.mark) ?? 0) + 1
    calls.set(fate.mark, times)
    if (calls.size === fates.length) everyoneWaits.resolve()
    // It honours idempotency keys.
    if (times > 1) return
    if (fate.timing === 'early') await reply(fate, callbackPath)
    else replyInTime(fate, callbackPath).catch((error) => failures.push(error))
  }
  const server = await startUpstreamServer({
    call: (response, received) => {
      const fate = fates[markIn(received)] as Fate
      const callbackPath = new URL(String(received.headers['x-callback-url'])).pathname
      take(fate, callbackPath).then(
        () => json(response, 201, { id: fate.externalId }),
        (error) => failures.push(error),
      )
    },
  })
  return {
    ...{
      origin: server.origin,
      calls,
      sentAgain,
      callBackTo: told.resolve,
      halfReplied: halfReplied.promise,
    },
    lost: lost.resolve,
    callerIsGone: (mark) => callers[mark]?.resolve(),
    replied() {
      if (failures.length > 0) throw failures[0]
      return replied
    },
    close: server.close,
  }
}

const markIn = ({ body }: Received) => (JSON.parse(body.toString()) as { mark: number }).mark

/** `nth`: 1 for the first reply to a call. Resolves with whether it was sent more than once. */
async function postUntilTaken(gateways: Gateways, fate: Fate, callbackPath: string, nth: number) {
  let sent = 0
  const taken = async () => {
    const origin = gateways.origins[(fate.answeredAt + sent) % gateways.origins.length] as string
    sent += 1
    const answered = await post(origin, fate, gateways, callbackPath, nth).catch(() => undefined)
    if (answered && answered.status !== 202 && answered.status !== 503)
      throw new Error(`reply ${fate.mark}: ${answered.status} ${await answered.text()}`)
    await answered?.arrayBuffer()
    return answered?.status === 202
  }
  await until(taken, { what: `a gateway takes reply ${fate.mark}` })
  return sent > 1
}

function post(origin: string, fate: Fate, { tokens }: Gateways, callbackPath: string, nth: number) {
  const { way, mark, externalId, tenant } = fate
  const body = { mark, nth, ...(way === 'pointer' && { id: externalId }) }
  const byToken = { authorization: `Bearer ${tokens[tenant]}` }
  return fetch(`${origin}${way === 'url' ? callbackPath : '/webhook'}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(way !== 'url' && byToken),
      ...(way === 'header' && { 'x-correlation-id': externalId }),
    },
    body: JSON.stringify(body),
  })
}
