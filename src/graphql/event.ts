import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import { isJson } from '../events/content-type.ts'
import type { Accepted } from '../events/event.ts'
import { jobId } from '../events/job.ts'
import { parseJson } from '../events/json-check.ts'
import { maxOrderingKeyLength, orderingHeader } from '../events/ordering.ts'
import { maxBodyBytesOf, rateLimitOf } from '../tenants/limits.ts'
import type { Tenant } from '../tenants/tenant.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'
import { JobRef } from './job.ts'

const printable = (name: string, maxLength: number) =>
  z
    .string()
    .regex(
      new RegExp(`^[!-~]{1,${maxLength}}$`),
      `${name} takes 1 to ${maxLength} printable ASCII characters without blanks`,
    )
    .nullish()

const PublishEventInput = builder.inputType('PublishEventInput', {
  description: 'Give the content as `payload` or as `body`.',
  fields: (t) => ({
    cnpj: t.field({
      type: 'CNPJ',
      description: 'Whose event it is; needed with an administrator’s token alone.',
    }),
    eventType: t.string({ validate: printable('eventType', 128) }),
    correlationId: t.string({ validate: printable('correlationId', 255) }),
    idempotencyKey: t.string({ validate: printable('idempotencyKey', 255) }),
    orderingKey: t.string({
      description: 'Destinations with fifo deliver the events that share it one after the other.',
      validate: printable('orderingKey', maxOrderingKeyLength),
    }),
    payload: t.field({
      type: 'JSON',
      description: 'Delivered as JSON. Numbers beyond 2^53 lose digits; send such as `body`.',
    }),
    body: t.string({ description: 'Delivered as it is, in UTF-8.' }),
    contentType: t.string({
      description: 'Of `body`; `payload` is application/json unless this names another JSON type.',
      validate: z
        .string()
        .regex(/^[\w.+-]+\/[\w.+-]+(\s*;[ !-~]*)?$/, 'contentType must be a media type such as text/plain')
        .max(255, 'contentType has at most 255 characters')
        .nullish(),
    }),
  }),
})

type Input = (typeof PublishEventInput)['$inferInput']

type Content = { content: Buffer; contentType: string | null; read: { json?: unknown } }

/** Read into bytes the way `POST /webhook` gets them. */
function contentOf({ payload, body, contentType }: Input): Content {
  if ((payload == null) === (body == null))
    throw new GanchoError('BAD_REQUEST', 'Give the content as payload or as body, one of them.')
  if (body == null) {
    if (contentType != null && !isJson(contentType))
      throw new GanchoError('BAD_REQUEST', 'A payload is JSON; give other content as body.')
    const content = Buffer.from(JSON.stringify(payload))
    return { content, contentType: contentType ?? 'application/json', read: { json: payload } }
  }
  const content = Buffer.from(body)
  const read = isJson(contentType ?? null) ? { json: parseJson(content) } : {}
  return { content, contentType: contentType ?? null, read }
}

/** The tenant whose event it is. */
async function ownerOf(cnpj: string | null | undefined, context: GraphqlContext): Promise<Tenant> {
  const { principal, services } = context
  if (principal.kind === 'tenant') {
    if (cnpj != null && cnpj !== principal.tenant.cnpj)
      throw new GanchoError('FORBIDDEN', 'A tenant publishes events of its own.')
    return principal.tenant
  }
  if (cnpj == null) throw new GanchoError('BAD_REQUEST', 'Name the tenant whose event it is: cnpj.')
  const tenant = await services.directory.find(cnpj)
  if (!tenant) throw new GanchoError('TENANT_NOT_FOUND')
  if (!tenant.active) throw new GanchoError('TENANT_INACTIVE')
  return tenant
}

async function publish(input: Input, context: GraphqlContext): Promise<Accepted> {
  const owner = await ownerOf(input.cnpj, context)
  const { content, contentType, read } = contentOf(input)
  const maxBytes = maxBodyBytesOf(owner, context.maxEventBytes)
  if (content.length > maxBytes)
    throw new GanchoError('BODY_TOO_LARGE', `A body has at most ${maxBytes} bytes.`)
  return context.services.intake.accept({
    cnpj: owner.cnpj,
    eventType: input.eventType ?? null,
    correlationId: input.correlationId ?? null,
    contentType,
    headers: {
      ...(contentType === null ? {} : { 'content-type': contentType }),
      ...(input.orderingKey ? { [orderingHeader]: input.orderingKey } : {}),
    },
    body: content,
    ...read,
    idempotencyKey: input.idempotencyKey ?? null,
    orderingKey: input.orderingKey ?? null,
    rateLimit: rateLimitOf(owner),
  })
}

const PublishEventPayload = builder.objectRef<Accepted>('PublishEventPayload').implement({
  fields: (t) => ({
    eventId: t.exposeID('eventId'),
    ids: t.idList({
      description: 'Of its jobs, one for each destination.',
      resolve: ({ ns }) => ns.map(jobId),
    }),
    jobs: t.field({
      type: [JobRef],
      resolve: async ({ ns }, _args, { loaders }) =>
        (await Promise.all(ns.map((n) => loaders.job.load(n)))).filter((job) => job !== null),
    }),
  }),
})

builder.mutationField('publishEvent', (t) =>
  t.field({
    type: PublishEventPayload,
    description: 'Answers once the event is durable, as `POST /webhook` does.',
    args: { input: t.arg({ type: PublishEventInput, required: true }) },
    resolve: (_root, { input }, context) => publish(input, context),
  }),
)
