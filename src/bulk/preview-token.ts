import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import type { JobsFilter } from '../history/history-store.ts'
import type { Requester } from '../tenants/principal.ts'
import type { TokenCipher } from '../tenants/token-cipher.ts'

/** What a preview has shown, and to whom. `expiresAt`: epoch milliseconds. */
export type Previewed = {
  by: Requester
  filter: JobsFilter
  /** Journal id up to which history was written. */
  asOf: string
  upTo: number
  total: number
  expiresAt: number
}

export type PreviewTokens = {
  seal(previewed: Previewed): string
  /** @throws GanchoError INVALID_PREVIEW for what nobody sealed for this caller, PREVIEW_EXPIRED */
  open(token: string, by: Requester): Previewed
}

const prefix = 'gpv_'
/** Tells what is sealed here from whatever else the same secret seals. */
const purpose = 'preview of a bulk'

const form = z.object({
  purpose: z.literal(purpose),
  by: z.object({ kind: z.enum(['tenant', 'admin']), name: z.string() }),
  filter: z.custom<JobsFilter>(),
  asOf: z.string(),
  upTo: z.number(),
  total: z.number(),
  expiresAt: z.number(),
})

/** The token carries what it stands for, sealed: a preview that nobody commits leaves nothing behind. */
export function previewTokens(cipher: TokenCipher, now: () => number): PreviewTokens {
  return {
    seal: (previewed) => `${prefix}${cipher.encrypt(JSON.stringify({ ...previewed, purpose }))}`,
    open(token, by) {
      const previewed = opened(cipher, token)
      if (previewed?.by.kind !== by.kind || previewed.by.name !== by.name)
        throw new GanchoError('INVALID_PREVIEW')
      if (previewed.expiresAt <= now()) throw new GanchoError('PREVIEW_EXPIRED')
      return previewed
    },
  }
}

function opened(cipher: TokenCipher, token: string): Previewed | undefined {
  if (!token.startsWith(prefix)) return undefined
  try {
    return form.parse(JSON.parse(cipher.decrypt(token.slice(prefix.length))))
  } catch {
    // Whatever is wrong with it, nobody sealed it for this.
    return undefined
  }
}
