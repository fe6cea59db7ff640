import { headerOf, hmacOf, isPlainSecret, matches, noOptions, type Scheme } from './scheme.ts'

/** https://shopify.dev/docs/apps/build/webhooks/subscribe/https; it has no time. */
export const shopify: Scheme = {
  readOptions: noOptions,
  isSecret: isPlainSecret,
  verify(request, secrets) {
    const signature = headerOf(request, 'x-shopify-hmac-sha256')
    if (signature === undefined) return false
    const expected = secrets.map((secret) => hmacOf('sha256', secret, request.body))
    return matches([signature], 'base64', expected)
  },
}
