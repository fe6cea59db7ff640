import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript, type ScriptArgument } from '../redis/scripts.ts'
import { type Answer, type Change, type ChangeOptions, changeScripts } from './change-scripts.ts'
import type { Attempt, Failure, Job, JobInHand, JobStatus, RoundAudit } from './job.ts'
import { jobInHand, namedFields, recordFields } from './job-record.ts'
import type { LaneEntry } from './lanes.ts'
import { orderingHash, orderingHeader } from './ordering.ts'

export type Enqueued =
  /** Is the caller's to schedule. */
  | { kind: 'add'; entry: LaneEntry }
  /** Waits until it is released: for its turn, or for the one before it in its line. */
  | { kind: 'kept' }
  | { kind: 'past'; status: string }

export type Started =
  | {
      kind: 'started'
      job: JobInHand
      body: Buffer
      attempt: number
      attemptInRound: number
      /** Tells this start from all others of the job. */
      start: number
      /** How often the job was started before without anything being sent, and without that counting. */
      looks: number
      firstAttemptAt: number
      /** Attempts of this round whose worker never came back. */
      lost: number
      /** Whether it is past its destination's deadline, and so was let go whatever keeps others back. */
      isLate: boolean
      /** Of the time since its first attempt, milliseconds in which the job was held. */
      heldMs: number
      /** Whether others of its ordering key wait for it. */
      isOrdered: boolean
    }
  /** Not yet: its delay, or the lease of whoever delivers it, ends at this time. */
  | { kind: 'wait'; until: number }
  /** It is not its turn: the caller lets its entry in the schedule go, and calls `keep` with this afterwards. */
  | ({ kind: 'back' } & WhyNot)
  | { kind: 'refused'; status: string }

/** Why a job may not be delivered: `BUSY`, `ORDER`, or what holds its destination; until then, in epoch milliseconds, where known. */
export type WhyNot = { why: string; until: number }

/**
 * What the scripts have to know of a destination, by the names of the fields in which they keep it. They only hold what they were told
 * last, so each call that can tell does.
 */
export type DestinationTerms = Readonly<Record<string, string | number>>

export type Finished =
  | { kind: 'done'; status: JobStatus; round: number; nextAttemptAt: number }
  | { kind: 'refused'; status: string }

export type RequeueRefusal =
  | 'OTHER_ROUND'
  | 'DISCARDED'
  | 'ALREADY_QUEUED'
  | 'ALREADY_REQUEUED'
  | 'REPROCESS_LIMIT'
  | 'DELIVERING'

export type Requeued =
  | { kind: 'requeued'; queue: string; round: number; previousRound: number }
  /** The report came before its attempt's outcome was recorded; it counts as soon as that says delivered. */
  | { kind: 'noted'; queue: string }
  | { kind: 'refused'; reason: RequeueRefusal }
  | { kind: 'missing' }

export type Discarded =
  | { kind: 'discarded'; queue: string; round: number }
  | { kind: 'refused'; status: JobStatus }
  | { kind: 'missing' }

export type FinishAs = {
  status: 'DELIVERED' | 'RETRYING' | 'FAILED' | 'HELD'
  delayMs?: number
  failure?: Failure
  /** Left out when nothing was sent. */
  attempt?: Attempt
  /** True when the attempt does not count against those that a round may take; without one, nothing is counted at all. */
  uncounted?: boolean
  /** What the outcome tells of the destination; `none` when left out. */
  class?: OutcomeClass
}

/** `fault`: the destination does not work. An answer that blames the event is none. */
export type OutcomeClass = 'ok' | 'fault' | 'none'

export type RequeueRequest = {
  n: number
  /** The round that the caller saw; undefined: whichever it is. */
  round?: number | undefined
  /** What downstream reported; undefined when a person asked. */
  report?: string | undefined
  maxRounds: number
  /** Who asked, and why; kept with the round. */
  audit?: RoundAudit | undefined
  /** Record and body from history, for a job whose record is gone. */
  snapshot?: { job: Job; body: Buffer } | undefined
  /** Whether its destination keeps order: then a job that is brought back stands in its line again. */
  isOrdered?: boolean
}

/**
 * Every change of a job after its acceptance. Each is one atomic call, safe to repeat, and refused where it does not fit. What a change
 * releases, of the same job or of others that waited for it, is scheduled before it resolves.
 */
export type Transitions = {
  enqueue(ns: readonly number[]): Promise<Enqueued[]>
  start(n: number, round: number, owner: string, leaseMs: number, terms?: DestinationTerms): Promise<Started>
  /** Puts a job that BullMQ has let go in front of those that wait as it does. */
  keep(n: number, round: number, whyNot: WhyNot): Promise<void>
  /** `start`: the one that this is the end of. */
  finish(n: number, start: number, as: FinishAs): Promise<Finished>
  requeue(request: RequeueRequest): Promise<Requeued>
  discard(n: number): Promise<Discarded>
  /** The same, and refused for a job that is FAILED. */
  discardWaiting(n: number): Promise<Discarded>
  /** Tells that the error queue holds the entry of this round; the sweeper need not look any more. */
  settle(n: number, round: number): Promise<void>
  /** Whether each waits to be released, and is where it waits: if not, it is again. The others, if not over, should be scheduled. */
  look(ns: readonly number[]): Promise<('kept' | 'scheduled' | 'over')[]>
  /** Releases what there is room for at these destinations, by id. */
  release(terms: ReadonlyMap<string, DestinationTerms>): Promise<void>
  /** Closes the breaker of a destination. */
  resetBreaker(destination: string): Promise<void>
  /** Releases, after what counts as scheduled or under way was compared with the records. */
  recount(destinations: readonly string[]): Promise<void>
}

/** Milliseconds within which a second requeue that names no round is taken for the same one. */
const requeueGapMs = 5_000

export function createTransitions(redis: Redis, options: ChangeOptions): Transitions {
  const changes = changeScripts(redis, options)
  const settle = loadScript(redis, 'settle')
  const termsText = textOfTerms()
  const makeOne = async (name: string, on: number, args: readonly ScriptArgument[] = []) =>
    (await changes.make([{ name, on, args }]))[0] as Answer

  return {
    async enqueue(ns) {
      const answers = await changes.make(ns.map((n) => ({ name: 'enqueue', on: n, args: [] })))
      return answers.map((answer, i) => enqueued(ns[i] as number, answer))
    },
    async start(n, round, owner, leaseMs, terms = {}) {
      const change = { name: 'start', on: n, args: [round, owner, leaseMs, termsText(terms)] }
      let answer = await changes.start(change)
      while (String(answer[0]) === 'again') answer = await changes.start(change)
      return started(n, round, answer as unknown as [Buffer, ...unknown[]])
    },
    async keep(n, round, { why, until }) {
      await makeOne('keep', n, [round, why, until])
    },
    async finish(n, start, as) {
      const { status, delayMs, failure, attempt: record, uncounted } = as
      const texts = [failure, record].map((value) => (value ? JSON.stringify(value) : ''))
      const args = [start, status, delayMs ?? '', ...texts, uncounted ? 1 : 0, as.class ?? 'none']
      const [kind, ...rest] = await changes.finish({ name: 'finish', on: n, args })
      if (kind === 'refused') return { kind: 'refused', status: rest[0] as string }
      return {
        kind: 'done',
        status: rest[0] as JobStatus,
        round: rest[1] as number,
        nextAttemptAt: rest[2] as number,
      }
    },
    async requeue(request) {
      const { n, round, report, maxRounds, audit = null } = request
      const asked = request.snapshot ? [restoring(request.snapshot, request.isOrdered ?? false)] : []
      const args = [round ?? '', report ?? '', maxRounds, requeueGapMs, JSON.stringify(audit)]
      asked.push({ name: 'requeue', on: n, args })
      return requeued((await changes.make(asked)).at(-1) as Answer)
    },
    discard: async (n) => discarded(await makeOne('discard', n)),
    discardWaiting: async (n) => discarded(await makeOne('discardWaiting', n)),
    async settle(n, round) {
      await settle([keys.due, keys.job(n)], [n, round])
    },
    async look(ns) {
      const answers = await changes.make(ns.map((n) => ({ name: 'look', on: n, args: [] })))
      return answers.map(([kind]) => (kind === 'kept' ? kind : kind === 'out' ? 'scheduled' : 'over'))
    },
    async release(terms) {
      const entries = [...terms]
      await changes.make(entries.map(([on, own]) => ({ name: 'release', on, args: [termsText(own)] })))
    },
    async resetBreaker(on) {
      await changes.make([{ name: 'reset', on, args: [] }])
    },
    async recount(destinations) {
      await changes.make(destinations.map((on) => ({ name: 'recount', on, args: [] })))
    },
  }
}

/** As the scripts take and keep it: what they were told before is to be known by one comparison. */
function textOfTerms(): (terms: DestinationTerms) => string {
  const texts = new WeakMap<DestinationTerms, string>()
  return (terms) => {
    const known = texts.get(terms)
    if (known !== undefined) return known
    const values = Object.entries(terms).flat().map(String)
    const text = values.length === 0 ? '' : JSON.stringify(values)
    texts.set(terms, text)
    return text
  }
}

function enqueued(n: number, [kind, ...rest]: Answer): Enqueued {
  if (kind === 'kept') return { kind }
  if (kind === 'past') return { kind, status: rest[0] as string }
  const [queue, round, destination] = rest as [string, number, string]
  return { kind: 'add', entry: { n, round, queue, destination } }
}

/** What of a job start.lua answers last, in its order. */
const handFields = ['about', 'correlation', 'contentType', 'headers', 'requeuedAt']

/** What start.lua answers of an attempt that begins, after the kind; null for what is not set. */
type Begun = [
  ...[attempt: number, attemptInRound: number, start: number, body: Buffer, looks: number],
  ...[firstAttemptAt: Buffer | number, lost: Buffer | number | null, late: Buffer | number | null],
  ...[heldMs: Buffer | number | null, ordering: Buffer | null, fields: (Buffer | null)[]],
]

function started(n: number, round: number, [kind, ...rest]: [Buffer, ...unknown[]]): Started {
  const name = kind.toString()
  if (name === 'wait') return { kind: 'wait', until: rest[0] as number }
  if (name === 'refused') return { kind: 'refused', status: String(rest[0]) }
  if (name === 'back') return { kind: 'back', why: String(rest[0]), until: Number(rest[1]) }
  const [attempt, attemptInRound, start, body, looks, ...of] = rest as Begun
  const [firstAttemptAt, lost, late, heldMs, ordering, fields] = of
  return {
    kind: 'started',
    job: jobInHand(n, round, namedFields(handFields, fields)),
    body,
    attempt,
    attemptInRound,
    start,
    looks,
    firstAttemptAt: Number(firstAttemptAt),
    lost: Number(lost),
    isLate: late !== null,
    heldMs: Number(heldMs),
    isOrdered: ordering !== null,
  }
}

function requeued([kind, ...rest]: Answer): Requeued {
  if (kind === 'missing') return { kind }
  if (kind === 'refused') return { kind, reason: rest[0] as RequeueRefusal }
  if (kind === 'noted') return { kind, queue: rest[0] as string }
  return {
    kind: 'requeued',
    queue: rest[0] as string,
    round: rest[1] as number,
    previousRound: rest[2] as number,
  }
}

function discarded([kind, ...rest]: Answer): Discarded {
  if (kind === 'missing') return { kind }
  if (kind === 'refused') return { kind, status: rest[0] as JobStatus }
  return { kind: 'discarded', queue: rest[0] as string, round: rest[1] as number }
}

function restoring({ job, body }: { job: Job; body: Buffer }, isOrdered: boolean): Change {
  const orderingKey = isOrdered ? job.headers[orderingHeader] : undefined
  const ordering = orderingKey === undefined ? [] : ['ordering', orderingHash(orderingKey)]
  return { name: 'restore', on: job.n, args: [job.round, ...recordFields(job, body), ...ordering] }
}
