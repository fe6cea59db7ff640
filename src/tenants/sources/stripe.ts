import { headerOf, hmacOf, isPlainSecret, isTimely, matches, noOptions, type Scheme } from './scheme.ts'

/** `Stripe-Signature: t=…,v1=…,v1=…`, https://docs.stripe.com/webhooks#verify-manually */
export const stripe: Scheme = {
  readOptions: noOptions,
  isSecret: isPlainSecret,
  verify(request, secrets, _options, nowMs) {
    const parts = (headerOf(request, 'stripe-signature') ?? '').split(',')
    const valuesOf = (name: string) =>
      parts.flatMap((part) => (part.startsWith(`${name}=`) ? [part.slice(name.length + 1)] : []))
    const [time] = valuesOf('t')
    if (!isTimely(time, nowMs)) return false
    const expected = secrets.map((secret) => hmacOf('sha256', secret, `${time}.`, request.body))
    return matches(valuesOf('v1'), 'hex', expected)
  },
}
