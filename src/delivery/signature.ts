import { createHmac } from 'node:crypto'
import type { SigningSecret } from './destination.ts'

const prefix = 'whsec_'
/**
 * The value of `webhook-signature`: one `v1,<base64>` for each secret that has not ended, separated by blanks, so that a receiver is
 * right with the old secret and with the new one while it is replaced. Undefined when there is none to sign with.
 * Source: Standard Webhooks 1.0.0, "Signature scheme". `id` and `timestamp` are those of the headers.
 */
export function signature(
  secrets: readonly SigningSecret[],
  { id, timestamp, body }: { id: string; timestamp: string; body: Buffer },
  nowMs: number,
): string | undefined {
  const active = secrets.filter(({ endsAt }) => endsAt === null || endsAt > nowMs)
  const signatures = active.map(({ secret }) => {
    const key = Buffer.from(secret.slice(prefix.length), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`
  })
  return signatures.length > 0 ? signatures.join(' ') : undefined
}
