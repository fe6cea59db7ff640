import type { Attempt, AttemptOutcome } from '../../src/events/job.ts'
import { defaultQueue } from '../../src/events/routing.ts'
import type { FinishAs } from '../../src/events/transitions.ts'
import { failed } from './failures.ts'
import type { TestServices } from './services.ts'

type Parts = Pick<TestServices, 'transitions' | 'lanes' | 'errorQueue' | 'records'>

/** Takes jobs through their states the way dispatcher and worker do, without sending anything. */
export function jobSteps({ transitions, lanes, errorQueue, records }: Parts) {
  const roundOf = async (n: number) => (await records.jobs([n]))[0]?.round ?? 0

  const enqueue = async (n: number) => {
    await transitions.enqueue([n])
    await lanes.add([{ n, round: await roundOf(n), queue: defaultQueue }])
  }

  /** To DELIVERING; answers the number of the attempt. */
  const begin = async (n: number): Promise<number> => {
    await enqueue(n)
    const started = await transitions.start(n, await roundOf(n), 'test', 30_000)
    if (started.kind !== 'started') throw new Error(`job ${n} did not start: ${started.kind}`)
    await lanes.remove({ n, round: started.job.round, queue: defaultQueue })
    return started.attempt
  }

  const end = async (n: number, outcome: AttemptOutcome, as: Omit<FinishAs, 'attempt'>) => {
    const number = await begin(n)
    await transitions.finish(n, number, { ...as, attempt: attemptOf(number, await roundOf(n), outcome) })
  }

  return {
    enqueue,
    begin,
    deliver: (n: number) => end(n, 'DELIVERED', { status: 'DELIVERED' }),
    retryLater: (n: number, delayMs: number) => end(n, 'RETRY', { status: 'RETRYING', delayMs }),
    async fail(n: number) {
      await end(n, 'FAILED', { status: 'FAILED', failure: failed })
      const [job] = await records.jobs([n])
      if (!job) throw new Error(`job ${n} is gone`)
      await errorQueue.add(job, failed)
      await transitions.settle(n, job.round)
    },
  }
}

function attemptOf(number: number, round: number, outcome: AttemptOutcome): Attempt {
  const statusCode = outcome === 'DELIVERED' ? 200 : 500
  return {
    ...{ number, round, outcome, statusCode, startedAt: 1_780_000_000_000, error: null },
    requestHeaders: { 'x-gancho-attempt': String(number) },
    responseHeaders: { 'content-type': 'text/plain' },
    responseBody: 'an answer',
    timing: { dnsMs: 0.2, connectMs: 0.3, tlsMs: null, firstByteMs: 1.5, totalMs: 2.1, socketReused: false },
  }
}
