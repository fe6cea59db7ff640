import { type DeliveryPreview, deliveryPreview } from '../delivery/delivery-preview.ts'
import type { Destination } from '../delivery/destination.ts'
import { GanchoError } from '../errors.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'
import { maySeeDestination } from './destination.ts'
import { requireJob } from './job-access.ts'
import { bodyText } from './job-body.ts'

const DeliveryPreviewRef = builder.objectRef<DeliveryPreview>('DeliveryPreview').implement({
  description: 'A request to a destination as it would go out now.',
  fields: (t) => ({
    method: t.exposeString('method'),
    url: t.exposeString('url'),
    headers: t.expose('headers', {
      type: 'JSON',
      description: "Secrets read `***`. The signature is this moment's.",
    }),
    body: t.string({
      nullable: true,
      description: 'Null when it is not UTF-8 text.',
      resolve: ({ body }) => bodyText(body),
    }),
    bodyBytes: t.int({ resolve: ({ body }) => body.length }),
  }),
})

builder.queryField('previewDelivery', (t) =>
  t.field({
    type: DeliveryPreviewRef,
    description:
      "The request that a job's next attempt would make if it went to this destination. Nothing is sent.",
    args: { destination: t.arg.id({ required: true }), jobId: t.arg.id({ required: true }) },
    resolve: async (_root, args, context) => {
      const job = await requireJob(args.jobId, context)
      const destination = await requireDestination(args.destination, context)
      const body = await context.loaders.body.load(job.n)
      if (!body) throw new GanchoError('JOB_NOT_FOUND', `The body of job ${args.jobId} is gone.`)
      return deliveryPreview(destination, job, body, Date.now())
    },
  }),
)

/** @throws GanchoError DESTINATION_NOT_FOUND, the same for one that the principal may not see and for one that is not there */
async function requireDestination(id: string, context: GraphqlContext): Promise<Destination> {
  const found = await context.services.destinations.directory.find(id)
  if (found.kind === 'unknown') throw new GanchoError('DATABASE_UNAVAILABLE')
  if (found.kind === 'gone' || !maySeeDestination(found.destination, context))
    throw new GanchoError('DESTINATION_NOT_FOUND', `There is no destination ${id.slice(0, 40)}.`)
  return found.destination
}
