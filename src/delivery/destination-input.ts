import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import { isQueueName } from '../events/lanes.ts'
import { parseAccessWindow } from '../tenants/access-window.ts'
import type { DestinationAuth, DestinationSecrets, DestinationSettings } from './destination.ts'
import { readFilter } from './event-filter.ts'

/** What may be said of a destination. For a new one, what is left out is as the defaults below; for a change, it stays. */
export type DestinationInput = Partial<
  Pick<
    DestinationSettings,
    | ('name' | 'url' | 'queue' | 'active' | 'eventTypes' | 'filter' | 'deliveryWindow')
    | ('retryScheduleSeconds' | 'retryForSeconds' | 'finalStatuses' | 'timeoutMs' | 'jobDeadlineSeconds')
    | ('maxConcurrency' | 'ratePerSecond' | 'fifo' | 'fifoBlockSeconds')
  > &
    Pick<DestinationSecrets, 'headers' | 'auth'>
>

const whole = (name: string, min: number, max: number) => {
  const expected = `${name} is a whole number from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  return z.number(expected).int(expected).min(min, expected).max(max, expected)
}
const list = <Item extends z.ZodType>(name: string, item: Item, max: number) =>
  z.array(item).max(max, `${name} has at most ${max} entries`)

/** Set by the connection or by Gancho (RFC 9110, 7.6.1). */
const reservedHeader =
  /^(host|content-(length|encoding|type)|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|webhook-.*|x-gancho-.*|x-event-type|x-correlation-id|x-ordering-key)$/
const headerName = z
  .string()
  .regex(/^[\w!#$%&'*+.^`|~-]{1,128}$/, 'a header has a name such as x-api-key')
  .transform((name) => name.toLowerCase())
  .refine((name) => !reservedHeader.test(name), 'this header is Gancho’s own to set')
/** Latin-1 without control characters (RFC 9110, 5.5). */
const headerValue = z
  .string('a header has a text as its value')
  .regex(/^[\t\x20-\x7e\x80-\xff]{0,4096}$/, 'the value of a header is at most 4,096 characters of Latin-1')

const password = z.string().min(1, 'a credential is not empty').max(4_096, 'a credential is too long')
const auth: z.ZodType<DestinationAuth> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  // RFC 7617, section 2: a user-id has no colon.
  z.strictObject({
    kind: z.literal('basic'),
    username: z.string().regex(/^[^:\p{Cc}]{0,255}$/u, 'a user name has no colon'),
    password: password.regex(/^[^\p{Cc}]*$/u, 'a password has no control characters'),
  }),
  z.strictObject({
    kind: z.literal('bearer'),
    token: password.regex(/^[!-~]+$/, 'a Bearer token is printable ASCII without blanks'),
  }),
  z.strictObject({ kind: z.literal('header'), name: headerName, value: headerValue.min(1) }),
])

const eventType = z
  .string()
  .regex(
    /^(?=.{1,128}$)[!-)+-~]+(\.\*)?$/,
    'an event type is exact, or a prefix such as invoice.*, in printable ASCII without blanks',
  )

/** The output of `check`, or its complaint. */
const checkedBy = (check: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      check(text)
    } catch (error) {
      context.addIssue((error as Error).message.replace(/\.$/, ''))
    }
  })

const input = z.strictObject({
  name: z.string().trim().min(1, 'a name is not empty').max(200, 'a name has at most 200 characters'),
  url: z.string().max(2_000, 'a URL has at most 2,000 characters'),
  queue: z.string().refine(isQueueName, 'a queue has a name of 1 to 40 of a-z, 0-9 and -'),
  active: z.boolean(),
  eventTypes: list('eventTypes', eventType, 50),
  filter: checkedBy(readFilter).nullable(),
  headers: z
    .record(headerName, headerValue, 'headers is an object of names and texts')
    .refine((headers) => Object.keys(headers).length <= 50, 'there are at most 50 headers'),
  auth,
  retryScheduleSeconds: list('retryScheduleSeconds', whole('a delay', 0, 2_592_000), 50).nullable(),
  retryForSeconds: whole('retryForSeconds', 0, 10_000_000).nullable(),
  finalStatuses: list('finalStatuses', whole('a final status', 300, 599), 100).nullable(),
  timeoutMs: whole('timeoutMs', 100, 300_000).nullable(),
  maxConcurrency: whole('maxConcurrency', 1, 10_000),
  ratePerSecond: whole('ratePerSecond', 1, 100_000).nullable(),
  deliveryWindow: checkedBy(parseAccessWindow).nullable(),
  fifo: z.boolean(),
  fifoBlockSeconds: whole('fifoBlockSeconds', 1, 2_592_000).nullable(),
  jobDeadlineSeconds: whole('jobDeadlineSeconds', 1, 31_536_000).nullable(),
} satisfies Record<keyof DestinationInput, z.ZodType>)

/** @throws GanchoError BAD_REQUEST with every problem */
export function readDestinationInput(given: DestinationInput): DestinationInput {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const parsed = input.partial().safeParse(set)
  if (parsed.success) return parsed.data as DestinationInput
  const problems = [...new Set(parsed.error.issues.map(({ message }) => message))]
  throw new GanchoError('BAD_REQUEST', `${problems.join('; ')}.`)
}
