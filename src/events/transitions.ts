import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript, type ScriptArgument } from '../redis/scripts.ts'
import type { Attempt, Failure, Job, JobStatus, RoundAudit } from './job.ts'
import { jobFromFields, recordFields } from './job-record.ts'

type Change = { name: string; n: number; args: readonly ScriptArgument[] }

export type Enqueued = { kind: 'add'; queue: string; round: number } | { kind: 'past'; status: string }

export type Started =
  | {
      kind: 'started'
      job: Job
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
    }
  /** Not yet: its delay, or the lease of whoever delivers it, ends at this time. */
  | { kind: 'wait'; until: number }
  | { kind: 'refused'; status: string }

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
}

/** Every change of a job after its acceptance. Each is one atomic call, safe to repeat, and refused where it does not fit. */
export type Transitions = {
  enqueue(ns: readonly number[]): Promise<Enqueued[]>
  start(n: number, round: number, owner: string, leaseMs: number, terms?: DestinationTerms): Promise<Started>
  /** `start`: the one that this is the end of. */
  finish(n: number, start: number, as: FinishAs): Promise<Finished>
  requeue(request: RequeueRequest): Promise<Requeued>
  discard(n: number): Promise<Discarded>
  /** Tells that the error queue holds the entry of this round; the sweeper need not look any more. */
  settle(n: number, round: number): Promise<void>
}

/** Milliseconds within which a second requeue that names no round is taken for the same one. */
const requeueGapMs = 5_000

/** `graceMs`: how long after a change the sweeper looks whether the job is where its record says. */
export function createTransitions(redis: Redis, { graceMs }: { graceMs: number }): Transitions {
  const script = loadScript(redis, 'transition')
  const scriptWithBuffers = loadScript(redis, 'transition', { buffers: true })
  const run = async (changes: readonly Change[], buffers = false): Promise<unknown[]> => {
    const args: ScriptArgument[] = [keys.jobPrefix, keys.prefix, changes.length]
    for (const change of changes) args.push(change.name, change.n, change.args.length, ...change.args)
    return (await (buffers ? scriptWithBuffers : script)([keys.journal, keys.due], args)) as unknown[]
  }
  const runOne = async (name: string, n: number, args: readonly ScriptArgument[]) =>
    (await run([{ name, n, args }]))[0] as [string, ...unknown[]]

  return {
    async enqueue(ns) {
      const answers = await run(ns.map((n) => ({ name: 'enqueue', n, args: [graceMs] })))
      return answers.map((answer) => enqueued(answer as [string, string, number]))
    },
    async start(n, round, owner, leaseMs, terms = {}) {
      const args = [round, owner, leaseMs, ...Object.entries(terms).flat()]
      const [answer] = await run([{ name: 'start', n, args }], true)
      return started(n, answer as [Buffer, ...unknown[]])
    },
    async finish(n, start, as) {
      const { status, delayMs, failure, attempt: record, uncounted } = as
      const texts = [failure, record].map((value) => (value ? JSON.stringify(value) : ''))
      const [kind, ...rest] = await runOne('finish', n, [
        start,
        status,
        delayMs ?? '',
        ...texts,
        graceMs,
        uncounted ? 1 : 0,
        as.class ?? 'none',
      ])
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
      const changes = request.snapshot ? [restoring(request.snapshot, graceMs)] : []
      changes.push({
        name: 'requeue',
        n,
        args: [round ?? '', report ?? '', maxRounds, requeueGapMs, graceMs, JSON.stringify(audit)],
      })
      return requeued((await run(changes)).at(-1) as [string, ...unknown[]])
    },
    async discard(n) {
      const [kind, ...rest] = await runOne('discard', n, [graceMs])
      if (kind === 'missing') return { kind }
      if (kind === 'refused') return { kind, status: rest[0] as JobStatus }
      return { kind: 'discarded', queue: rest[0] as string, round: rest[1] as number }
    },
    async settle(n, round) {
      await runOne('settle', n, [round])
    },
  }
}

function enqueued([kind, value, round]: [string, string, number]): Enqueued {
  return kind === 'past' ? { kind, status: value } : { kind: 'add', queue: value, round }
}

function started(n: number, [kind, ...rest]: [Buffer, ...unknown[]]): Started {
  const name = kind.toString()
  if (name === 'wait') return { kind: 'wait', until: rest[0] as number }
  if (name === 'refused') return { kind: 'refused', status: String(rest[0]) }
  const fields = fieldsFromPairs(rest[3] as Buffer[])
  const job = jobFromFields(n, fields)
  const body = fields.body ?? Buffer.alloc(0)
  const [attempt, attemptInRound, start] = rest as [number, number, number]
  return {
    kind: 'started',
    job,
    body,
    attempt,
    attemptInRound,
    start,
    looks: Number(fields.looks ?? 0),
    firstAttemptAt: Number(fields.firstAttemptAt),
    lost: Number(fields.lost ?? 0),
  }
}

function fieldsFromPairs(pairs: readonly Buffer[]): Record<string, Buffer> {
  const fields: Record<string, Buffer> = {}
  for (let i = 0; i + 1 < pairs.length; i += 2) fields[String(pairs[i])] = pairs[i + 1] as Buffer
  return fields
}

function requeued([kind, ...rest]: [string, ...unknown[]]): Requeued {
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

function restoring({ job, body }: { job: Job; body: Buffer }, graceMs: number): Change {
  return { name: 'restore', n: job.n, args: [job.round, graceMs, ...recordFields(job, body)] }
}
