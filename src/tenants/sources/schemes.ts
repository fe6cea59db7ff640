import { github } from './github.ts'
import { hmac } from './hmac.ts'
import type { Scheme } from './scheme.ts'
import { shopify } from './shopify.ts'
import { standardWebhooks } from './standard-webhooks.ts'
import { stripe } from './stripe.ts'

export const schemes = {
  'standard-webhooks': standardWebhooks,
  hmac,
  github,
  stripe,
  shopify,
} as const satisfies Record<string, Scheme>

export type SchemeName = keyof typeof schemes
