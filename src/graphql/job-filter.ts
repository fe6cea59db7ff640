import { jobStatuses } from '../events/job.ts'
import { builder } from './builder.ts'

export const JobStatus = builder.enumType('JobStatus', { values: jobStatuses })

export const JobFilter = builder.inputType('JobFilter', {
  description: 'All that is given must hold; an empty list matches nothing.',
  fields: (t) => ({
    ids: t.idList({ description: 'At most 1,000.' }),
    cnpj: t.field({ type: 'CNPJ' }),
    queue: t.string(),
    destination: t.id(),
    statuses: t.field({ type: [JobStatus] }),
    eventType: t.string(),
    receivedFrom: t.field({ type: 'DateTime', description: 'Itself included.' }),
    receivedTo: t.field({ type: 'DateTime', description: 'Itself not included.' }),
    text: t.string({
      description:
        'Words, in any order: all of them in the body, or all in what is known of the failure. Capital letters and accents make no difference.',
    }),
  }),
})
