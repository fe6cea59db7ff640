import type { Tracing } from '../tracing/tracing.ts'
import type { Intake } from './intake.ts'
import { jobId } from './job.ts'

/** An intake that is a span of the sender's trace, and keeps with each event the headers by which deliveries become its children. */
export function tracedIntake(intake: Intake, tracing: Tracing | undefined): Intake {
  if (!tracing) return intake
  return {
    accept: (event) =>
      tracing.run(
        {
          name: 'accept event',
          kind: 'producer',
          parent: event.headers,
          attributes: {
            'gancho.tenant': event.cnpj,
            'gancho.event.type': event.eventType,
            'messaging.message.body.size': event.body.length,
          },
        },
        async (span) => {
          const accepted = await intake.accept({ ...event, headers: { ...event.headers, ...span.headers } })
          span.set({
            'gancho.event.id': accepted.eventId,
            'gancho.job.ids': accepted.ns.map(jobId).join(','),
            'gancho.event.repeated': Number(accepted.repeated),
          })
          return accepted
        },
      ),
  }
}
