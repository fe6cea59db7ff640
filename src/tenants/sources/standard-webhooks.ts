import { headerOf, hmacOf, isTimely, matches, noOptions, type Scheme } from './scheme.ts'

const secretForm = /^whsec_([A-Za-z0-9+/]{32,}={0,2})$/
const keyOf = (secret: string) => Buffer.from(secretForm.exec(secret)?.[1] ?? '', 'base64')

/** Symmetric signatures of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export const standardWebhooks: Scheme = {
  readOptions: noOptions,
  isSecret: (secret) => secretForm.test(secret) && keyOf(secret).length >= 24 && keyOf(secret).length <= 64,
  verify(request, secrets, _options, nowMs) {
    const id = headerOf(request, 'webhook-id')
    const time = headerOf(request, 'webhook-timestamp')
    const signatures = headerOf(request, 'webhook-signature')
    if (id === undefined || signatures === undefined || !isTimely(time, nowMs)) return false
    const given = signatures.split(' ').flatMap((one) => (one.startsWith('v1,') ? [one.slice(3)] : []))
    const expected = secrets.map((secret) => hmacOf('sha256', keyOf(secret), `${id}.${time}.`, request.body))
    return matches(given, 'base64', expected)
  },
}
