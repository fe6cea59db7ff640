import type { Redis } from 'ioredis'
import type { Intake } from '../../src/events/intake.ts'
import { keys } from '../../src/redis/keys.ts'
import type { AwaitedReplies } from '../../src/sync/awaited-replies.ts'
import { sampleEvent } from './core.ts'

/** Few of each, so that the actors meet. */
const tenants = ['11222333000181', '11444777000161'] as const
const owners = ['a', 'b'] as const
const mostWaiting = 4

type Stored = 'OPEN' | 'BOUND' | 'CALL_FAILED' | 'REPLIED' | 'LATE' | 'REPLY_FAILED'
type Record = {
  id: string
  cnpj: string
  body: string
  status: Stored
  caller: string
  owners: Set<string>
  overdue: boolean
  payload: string | null
  duplicates: number
}
type Offer = { payload: string; failed: boolean; duplicates: number }

const isAnswered = ({ status }: Record) => ['REPLIED', 'LATE', 'REPLY_FAILED'].includes(status)

/** What one tenant's awaited replies are to be, in memory and without a clock. */
class TenantModel {
  readonly records: Record[] = []
  readonly byKey = new Map<string, Record>()
  readonly byExternalId = new Map<string, Record>()
  readonly waiting = new Set<Record>()
  readonly unbound = new Set<Record>()
  readonly offers = new Map<string, Offer>()
  strays = 0

  open(
    request: { id: string; cnpj: string; key: string | null; body: string; owner: string },
    alive: Set<string>,
  ) {
    const { key, body, owner } = request
    const known = key === null ? undefined : this.byKey.get(key)
    if (known) return this.join(known, body, owner, alive)
    this.forgetOverdue()
    if (this.waiting.size >= mostWaiting) return 'full'
    const { id, cnpj } = request
    const record: Record = {
      ...{ id, cnpj, body, status: 'OPEN', caller: owner, owners: new Set([owner]) },
      ...{ overdue: false, payload: null, duplicates: 0 },
    }
    this.records.push(record)
    if (key !== null) this.byKey.set(key, record)
    this.expect(record)
    return 'new'
  }
  private join(record: Record, body: string, owner: string, alive: Set<string>) {
    this.forgetOverdue()
    if (record.body !== body) return 'conflict'
    if (isAnswered(record)) return 'finished'
    if (!this.waiting.has(record) && this.waiting.size >= mostWaiting) return 'full'
    record.owners.add(owner)
    record.overdue = false
    this.waiting.add(record)
    if (record.status === 'BOUND') return 'joined'
    this.unbound.add(record)
    if (record.status === 'OPEN' && alive.has(record.caller)) return 'joined'
    record.status = 'OPEN'
    record.caller = owner
    return 'take-over'
  }
  private expect(record: Record) {
    this.waiting.add(record)
    this.unbound.add(record)
  }
  private forgetOverdue() {
    for (const record of this.waiting) if (record.overdue) this.waiting.delete(record)
  }

  bind(record: Record, externalId: string) {
    const holder = this.byExternalId.get(externalId)
    if (holder && holder !== record) return 'taken'
    this.byExternalId.set(externalId, record)
    this.unbound.delete(record)
    if (isAnswered(record)) return 'replied'
    record.status = 'BOUND'
    const offer = this.offers.get(externalId)
    if (!offer) return 'bound'
    this.offers.delete(externalId)
    this.reply(record, offer.payload, offer.failed)
    record.duplicates += offer.duplicates
    return 'replied'
  }
  fail(record: Record, owner: string, maybeSent: boolean) {
    if (isAnswered(record)) return 'replied'
    if (record.status === 'BOUND') return 'bound'
    if (record.status === 'OPEN' && record.caller !== owner) return 'bound'
    record.status = 'CALL_FAILED'
    this.waiting.delete(record)
    if (!maybeSent) this.unbound.delete(record)
    return 'failed'
  }
  deadline(record: Record) {
    if (record.status === 'LATE') record.status = 'REPLIED'
    return isAnswered(record) || record.status === 'CALL_FAILED' ? 'finished' : 'pending'
  }

  webhook(externalId: string, payload: string, failed: boolean) {
    const record = this.byExternalId.get(externalId)
    if (record) return this.reply(record, payload, failed)
    if (this.records.length === 0) return undefined
    if (this.unbound.size === 0) {
      this.strays += 1
      return undefined
    }
    const offer = this.offers.get(externalId)
    if (offer) offer.duplicates += 1
    else this.offers.set(externalId, { payload, failed, duplicates: 0 })
    return undefined
  }
  reply(record: Record, payload: string, failed: boolean) {
    if (isAnswered(record)) {
      record.duplicates += 1
      return 'DUPLICATE'
    }
    const late = record.overdue || record.status === 'CALL_FAILED'
    record.status = failed ? 'REPLY_FAILED' : late ? 'LATE' : 'REPLIED'
    record.payload = payload
    this.waiting.delete(record)
    this.unbound.delete(record)
    return record.status
  }
}

/** As `AwaitedReply.status` tells it. */
function shownStatus({ status, overdue }: Record): string {
  if (status === 'REPLY_FAILED' || status === 'CALL_FAILED') return 'FAILED'
  if (status === 'OPEN' || status === 'BOUND') return overdue ? 'EXPIRED' : 'PENDING'
  return status
}

type WorldParts = { redis: Redis; intake: Intake; awaited: (owner: string) => AwaitedReplies }

/** The scripts over a real Redis beside their model; each step runs both and answers what either said. */
export function awaitWorld({ redis, intake, awaited }: WorldParts) {
  const models = tenants.map(() => new TenantModel())
  const alive = new Set<string>(owners)
  const any = awaited('a')
  let made = 0
  const modelOf = (t: number) => models[t] as TenantModel
  const pick = (t: number, i: number) => {
    const { records } = modelOf(t)
    return records[i % Math.max(1, records.length)]
  }
  const post = async (
    cnpj: string,
    payload: string,
    to: { awaitId: string } | { upstream: string; externalId: string },
  ) => {
    const answering = { failed: payload.endsWith('failed'), deliver: true }
    const asked =
      'awaitId' in to ? { named: { ...answering, ...to } } : { candidates: [{ ...answering, ...to }] }
    const body = Buffer.from(payload)
    const { reply } = await intake.accept({ ...sampleEvent, correlationId: null, cnpj, body, ...asked })
    return reply?.status
  }
  const payloadOf = (failed: boolean) => {
    made += 1
    return `event ${made}${failed ? ' failed' : ''}`
  }
  return {
    models,
    async open(t: number, o: number, key: string | null, body: string) {
      made += 1
      const [cnpj, owner] = [tenants[t] as string, owners[o] as string]
      // Whoever opens is alive.
      await this.revive(o)
      const id = `aw_${made}`
      const expected = modelOf(t).open({ id, cnpj, key, body, owner }, alive)
      const opened = await awaited(owner).open({
        ...{ cnpj, newId: id, upstream: 'default', body: Buffer.from(body), idempotencyKey: key },
        ...{ timeoutMs: 60_000, callMs: 60_000, countsMs: 60_000, max: mostWaiting },
      })
      return [opened.kind === 'call' ? opened.by : opened.kind, expected]
    },
    async bind(t: number, i: number, externalId: string) {
      const record = pick(t, i)
      if (!record) return []
      const at = { cnpj: record.cnpj, id: record.id, upstream: 'default' }
      return [(await any.bind(at, externalId)).kind, modelOf(t).bind(record, externalId)]
    },
    async fail(t: number, i: number, o: number, maybeSent: boolean) {
      const record = pick(t, i)
      if (!record) return []
      const failure = { code: 'UPSTREAM_ERROR', status: 500, message: 'no', maybeSent }
      const owner = owners[o] as string
      return [(await awaited(owner).fail(record, failure)).kind, modelOf(t).fail(record, owner, maybeSent)]
    },
    async deadline(t: number, i: number) {
      const record = pick(t, i)
      if (!record) return []
      return [(await any.deadline(record)).kind, modelOf(t).deadline(record)]
    },
    async webhook(t: number, externalId: string, failed: boolean) {
      const payload = payloadOf(failed)
      const candidate = { upstream: 'default', externalId }
      return [
        await post(tenants[t] as string, payload, candidate),
        modelOf(t).webhook(externalId, payload, failed),
      ]
    },
    async callback(t: number, i: number, failed: boolean, byTenant: number) {
      const record = pick(t, i)
      if (!record) return []
      const payload = payloadOf(failed)
      // Another tenant's capability for this record cannot be made; the script would refuse it all the same.
      const status = await post(tenants[byTenant] as string, payload, { awaitId: record.id })
      return [status, byTenant === t ? modelOf(t).reply(record, payload, failed) : undefined]
    },
    async crash(o: number) {
      alive.delete(owners[o] as string)
      await redis.del(keys.awaitOwner(owners[o] as string))
      return []
    },
    async revive(o: number) {
      alive.add(owners[o] as string)
      await redis.set(keys.awaitOwner(owners[o] as string), '1')
      return []
    },
    async passDeadline(t: number, i: number) {
      const record = pick(t, i)
      if (!record) return []
      record.overdue = true
      await redis.hset(keys.await(record.id), 'deadline', 1)
      await redis.call('ZADD', keys.awaitOpen(record.cnpj), 'XX', '1', record.id)
      return []
    },
    /** Every record of a tenant, as Redis and as the model has it. */
    async compare(t: number) {
      const model = modelOf(t)
      const found = await Promise.all(model.records.map(({ id }) => any.read(id)))
      const shown = found.map(
        (one) => one && [one.status, one.reply?.body.toString() ?? null, one.duplicates],
      )
      const expected = model.records.map((one) => [shownStatus(one), one.payload, one.duplicates])
      const waiting = [...model.waiting].filter(({ overdue }) => !overdue).length
      const strays = (await any.strays(tenants[t] as string)).count
      return {
        shown: [...shown, await any.waiting(tenants[t] as string), strays],
        expected: [...expected, waiting, model.strays],
      }
    },
  }
}
