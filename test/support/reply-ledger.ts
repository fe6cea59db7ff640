import type { Redis } from 'ioredis'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from './client.ts'
import { openFleet } from './fleet.ts'
import type { GanchoProcess } from './gancho.ts'
import { type CallerAnswer, callAs, keyOf, readReply, type ShownReply } from './reply-caller.ts'
import { cnpjs, type Fate, fatesOf, type ReplyPlan } from './reply-fates.ts'
import { type ReplyUpstream, startReplyUpstream } from './reply-upstream.ts'

/** One call as its caller, whoever reads it afterwards, and its upstream saw it. */
export type LedgerLine = {
  fate: Fate
  answer: CallerAnswer
  /** Afterwards, from the first gateway: by the id that the caller was told, else by the caller's key. */
  shown: ShownReply | null
  /** For callers without a reply: what a repeat with the same key got from the first gateway. */
  repeated: CallerAnswer | undefined
  /** How often it came to the upstream. */
  calls: number
  /** The upstream sent a reply again, which may have been taken the first time. */
  sentAgain: boolean
}

export type ReplyLedger = {
  lines: LedgerLine[]
  /** Exit code of the second gateway, if it was told to stop. */
  exitCode: number | null | undefined
  /** For the eye. */
  figures: Record<string, number>
}

type World = { gateways: [GanchoProcess, GanchoProcess]; tokens: string[]; upstream: ReplyUpstream }

const readers = 32

/**
 * Has all calls of the plan wait at the same time, over two gateways, and an upstream reply to them at either; the second gateway may
 * be lost in the middle. Tells what became of each.
 */
export async function keepReplyLedger(plan: ReplyPlan): Promise<ReplyLedger> {
  const since = performance.now()
  const fates = fatesOf(plan)
  const upstream = await startReplyUpstream(fates)
  const env = { DOMAIN: upstream.origin, APIKEY: 'a-key', TIMEOUT: `${plan.timeoutMs}`, LOG_LEVEL: 'warn' }
  const fleet = await openFleet({ answer: (response) => response.end(), env })
  try {
    const gateways = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
    const admin = clientOf(gateways[0])
    const tokens = await Promise.all(cnpjs.map((cnpj) => admin.newTenant(cnpj)))
    const world = { gateways, tokens, upstream }
    const isOverdue = async (id: string) =>
      Number(await fleet.data.hget(keys.await(id), 'deadline')) < Date.now()
    upstream.callBackTo({ origins: gateways.map(({ origin }) => origin), tokens, isOverdue })
    const calling = fates.map((fate) =>
      callAs(fate, gateways[fate.calledAt] as GanchoProcess, tokenOf(world, fate)).finally(() =>
        upstream.callerIsGone(fate.mark),
      ),
    )
    const mostWaiting = await untilHalfReplied(world, plan, fleet.data)
    const exitCode = await lose(plan, gateways[1])
    upstream.lost()
    const answers = await Promise.all(calling)
    await until(() => upstream.replied() === plan.calls, {
      withinMs: plan.timeoutMs + 60_000,
      what: 'all replied',
    })
    const lines = await eachOf(fates, (fate, i) => lineOf(world, fate, answers[i] as CallerAnswer))
    return {
      lines,
      exitCode,
      figures: { ...figuresOf(lines), mostWaiting, ms: Math.round(performance.now() - since) },
    }
  } finally {
    await fleet.close()
    await upstream.close()
  }
}

const tokenOf = ({ tokens }: World, { tenant }: Fate) => tokens[tenant] as string

/** @returns how many waited when all had called */
async function untilHalfReplied({ upstream }: World, { calls, timeoutMs }: ReplyPlan, data: Redis) {
  const withinMs = timeoutMs
  await until(() => upstream.calls.size === calls, { withinMs, what: 'all called' })
  const waiting = await Promise.all(cnpjs.map((cnpj) => data.zcard(keys.awaitOpen(cnpj))))
  await upstream.halfReplied
  return waiting.reduce((sum, count) => sum + count, 0)
}

async function lose({ loss }: ReplyPlan, gateway: GanchoProcess): Promise<number | null | undefined> {
  if (loss === 'stopped') return gateway.stop()
  if (loss === 'killed') await gateway.kill9()
  return undefined
}

async function lineOf(world: World, fate: Fate, answer: CallerAnswer): Promise<LedgerLine> {
  const { gateways, upstream } = world
  const token = tokenOf(world, fate)
  const by = 'awaitId' in answer ? { id: answer.awaitId } : { key: keyOf(fate) }
  const shown = await readReply(gateways[0], token, by)
  const again = answer.kind !== 'replied' && shown?.payload
  const repeated = again ? await callAs(fate, gateways[0], token) : undefined
  const { mark } = fate
  const sentAgain = upstream.sentAgain.has(mark)
  return { fate, answer, shown, repeated, calls: upstream.calls.get(mark) ?? 0, sentAgain }
}

/** A few at a time. */
async function eachOf<One, Result>(all: readonly One[], make: (one: One, i: number) => Promise<Result>) {
  const results: Result[] = []
  let next = 0
  const work = async () => {
    for (let i = next++; i < all.length; i = next++) results[i] = await make(all[i] as One, i)
  }
  await Promise.all(Array.from({ length: readers }, work))
  return results
}

function figuresOf(lines: readonly LedgerLine[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { answer } of lines) counts[answer.kind] = (counts[answer.kind] ?? 0) + 1
  return counts
}
