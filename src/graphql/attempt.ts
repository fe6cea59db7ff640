import type { Attempt, AttemptTiming, Failure } from '../events/job.ts'
import { phaseNames, phasesOf, type TimingPhase } from '../events/timing-phases.ts'
import { builder } from './builder.ts'

const AttemptOutcome = builder.enumType('AttemptOutcome', {
  values: {
    DELIVERED: {},
    RETRY: { description: 'It did not succeed, and another attempt follows.' },
    FAILED: { description: 'It did not succeed, and none follows in its round.' },
    LOST: { description: 'Its worker stopped before it could tell; the destination may have got it.' },
  } as const,
})

const TimingPhaseRef = builder.objectRef<TimingPhase>('TimingPhase').implement({
  description: 'A part of an attempt, in milliseconds since it began.',
  fields: (t) => ({
    name: t.field({
      type: builder.enumType('TimingPhaseName', { values: phaseNames }),
      resolve: ({ name }) => name,
    }),
    startMs: t.exposeFloat('startMs'),
    durationMs: t.exposeFloat('durationMs'),
  }),
})

const AttemptTimingRef = builder.objectRef<AttemptTiming>('AttemptTiming').implement({
  description:
    'Milliseconds. Null where a phase did not happen (a reused socket is not connected again) or was not reached.',
  fields: (t) => ({
    dnsMs: t.exposeFloat('dnsMs', { nullable: true }),
    connectMs: t.exposeFloat('connectMs', { nullable: true }),
    tlsMs: t.exposeFloat('tlsMs', { nullable: true }),
    firstByteMs: t.exposeFloat('firstByteMs', { nullable: true }),
    totalMs: t.exposeFloat('totalMs'),
    socketReused: t.exposeBoolean('socketReused', { nullable: true }),
    phases: t.field({
      type: [TimingPhaseRef],
      description:
        'The same as the bars of a waterfall, without gaps, over `totalMs`. What was not measured belongs to RECEIVING, or to WAITING where no answer came.',
      resolve: (timing) => phasesOf(timing),
    }),
  }),
})

export const AttemptRef = builder.objectRef<Attempt>('Attempt').implement({
  description: 'One HTTP request to a destination.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'From 1, over all rounds.' }),
    round: t.exposeInt('round', {
      description: '0 for the first delivery, one more with each reprocessing.',
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime' }),
    outcome: t.expose('outcome', { type: AttemptOutcome }),
    statusCode: t.exposeInt('statusCode', { nullable: true }),
    error: t.exposeString('error', { nullable: true }),
    requestHeaders: t.expose('requestHeaders', { type: 'JSON', nullable: true }),
    responseHeaders: t.expose('responseHeaders', { type: 'JSON', nullable: true }),
    responseBody: t.exposeString('responseBody', {
      nullable: true,
      description: 'The first 16 KiB, read as UTF-8.',
    }),
    timing: t.expose('timing', { type: AttemptTimingRef }),
  }),
})

export const FailureRef = builder.objectRef<Failure>('Failure').implement({
  description: 'Why a job failed for good.',
  fields: (t) => ({
    reason: t.exposeString('reason', { description: 'A word for programs, such as EXHAUSTED.' }),
    error: t.exposeString('error'),
    statusCode: t.exposeInt('statusCode', { nullable: true }),
    responseExcerpt: t.exposeString('responseExcerpt', { nullable: true }),
    attempts: t.exposeInt('attempts', { description: 'Those of the round that failed.' }),
    firstAttemptAt: t.expose('firstAttemptAt', { type: 'DateTime', nullable: true }),
    lastAttemptAt: t.expose('lastAttemptAt', { type: 'DateTime', nullable: true }),
    failedAt: t.expose('failedAt', { type: 'DateTime' }),
  }),
})
