import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import { parseAccessWindow } from './access-window.ts'
import { parseAddressRanges } from './sender-addresses.ts'

const upTo = (max: number) => z.int().min(1).max(max).optional()

const limits = z.strictObject({
  requestsPerSecond: z.number().positive().max(1_000_000).optional(),
  /** Requests that may come at once before `requestsPerSecond` holds. */
  burst: upTo(1_000_000),
  maxBodyBytes: upTo(268_435_456),
  waitingReplies: upTo(1_000_000),
  subscriptions: upTo(1_000_000),
})

/** The form of a tenant's settings; whether a window or an address means something is for those who read it to say. */
export const tenantSettingsSchema = z.strictObject({
  /** Hours in which its token is honoured, such as `Mon-Fri 08:00-18:00 America/Sao_Paulo`. */
  accessWindow: z.string().min(1).max(500).optional(),
  /** Addresses or CIDR ranges that its requests may come from. */
  allowedAddresses: z.array(z.string().min(1).max(64)).max(200).optional(),
  limits: limits.optional(),
})

/** What an administrator sets for one tenant; what is left out is as the environment says for all. */
export type TenantSettings = z.output<typeof tenantSettingsSchema>

type Change<Fields> = { [Name in keyof Fields]?: Fields[Name] | null | undefined }

/** What is left out stays, null takes a setting away; so also within `limits`. */
export type TenantSettingsChange = Change<Omit<TenantSettings, 'limits'>> & {
  limits?: Change<NonNullable<TenantSettings['limits']>> | null | undefined
}

/**
 * The settings after a change, checked in form and in meaning.
 * @throws GanchoError BAD_REQUEST
 */
export function changedSettings(current: TenantSettings, change: TenantSettingsChange): TenantSettings {
  const limits = change.limits && merged(current.limits ?? {}, change.limits)
  const parsed = tenantSettingsSchema.safeParse(merged(current, { ...change, limits }))
  if (!parsed.success)
    throw new GanchoError('BAD_REQUEST', `${parsed.error.issues.map(problemOf).join('; ')}.`)
  const { accessWindow, allowedAddresses } = parsed.data
  if (accessWindow !== undefined) parseAccessWindow(accessWindow)
  if (allowedAddresses !== undefined) parseAddressRanges(allowedAddresses)
  return parsed.data
}

const problemOf = ({ path, message }: { path: PropertyKey[]; message: string }) =>
  `${path.map(String).join('.')}: ${message}`

function merged(current: object, change: object): Record<string, unknown> {
  const named = Object.entries(change).filter(([, value]) => value !== undefined)
  const all = Object.entries({ ...current, ...Object.fromEntries(named) })
  return Object.fromEntries(all.filter(([, value]) => value !== null))
}
