import type { Attempt, Job } from '../../src/events/job.ts'
import type { JobSnapshot } from '../../src/history/history-store.ts'

export function sampleJob(n: number, changes: Partial<Job> = {}): Job {
  return {
    n,
    eventId: `event-${n}`,
    cnpj: '12ABC34501DE35',
    destination: 'default',
    queue: 'nifi',
    eventType: null,
    correlationId: null,
    contentType: 'application/json',
    headers: { 'content-type': 'application/json', 'user-agent': 'ação' },
    status: 'QUEUED',
    round: 0,
    attempts: 0,
    receivedAt: 1_800_000_000_000 + n,
    updatedAt: 1_800_000_000_000 + n,
    nextAttemptAt: null,
    deliveredAt: null,
    requeuedAt: null,
    failure: null,
    reported: null,
    journalId: '1800000000000-0',
    ...changes,
  }
}

export function sampleAttempt(number: number, changes: Partial<Attempt> = {}): Attempt {
  return {
    number,
    round: 0,
    startedAt: 1_800_000_000_000,
    outcome: 'DELIVERED',
    statusCode: 200,
    error: null,
    requestHeaders: { 'x-gancho-attempt': String(number) },
    responseHeaders: { 'set-cookie': ['a=1', 'b=2'], date: 'now' },
    responseBody: 'olá',
    timing: { dnsMs: null, connectMs: 0.5, tlsMs: null, firstByteMs: 2.25, totalMs: 3, socketReused: false },
    ...changes,
  }
}

export function snapshot(
  job: Job,
  attempts: Attempt[] = [],
  body = Buffer.from(`{"n":${job.n}}`),
): JobSnapshot {
  return { job, body, attempts, rounds: [] }
}
