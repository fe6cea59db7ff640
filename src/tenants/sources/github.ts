import { headerOf, hmacOf, isPlainSecret, matches, noOptions, type Scheme } from './scheme.ts'

const prefix = 'sha256='

/** https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries; it has no time. */
export const github: Scheme = {
  readOptions: noOptions,
  isSecret: isPlainSecret,
  verify(request, secrets) {
    const signature = headerOf(request, 'x-hub-signature-256')
    if (!signature?.startsWith(prefix)) return false
    const expected = secrets.map((secret) => hmacOf('sha256', secret, request.body))
    return matches([signature.slice(prefix.length)], 'hex', expected)
  },
}
