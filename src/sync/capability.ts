import { hkdfSync, timingSafeEqual } from 'node:crypto'
import { macUnder } from './mac.ts'

/** What a callback URL stands for. `upstream` has the form of `\w[\w-]{0,63}`; `expiresAt`: epoch milliseconds, to the second. */
export type Capability = { awaitId: string; cnpj: string; upstream: string; expiresAt: number }

export type Capabilities = {
  /** What the URL carries: letters, digits, `_`, `-` and `.`. Under the newest secret. */
  seal(capability: Capability): string
  /** Undefined for what was not made by one of the secrets, and for what has expired. */
  open(text: string): Capability | undefined
}

/** How many are known again without a check of their HMAC, which takes long where it is seldom made. Most replies come soon. */
const rememberedCount = 10_000
const awaitIdLength = 'aw_'.length + 22

const form = /^(aw_[\w-]{22})\.([0-9A-Z]{14})\.([0-9a-z]{1,8})\.([\w-]{1,64})\.([\w-]{43})$/

/**
 * Capability URLs: whoever holds one may answer that one call, and do nothing else. HMAC-SHA-256, under a key that is derived for this
 * purpose alone, covers all of it. `secrets`: the newest first; what older ones have made is honoured.
 */
export function capabilities(secrets: readonly string[], now: () => number = Date.now): Capabilities {
  const macs = secrets.map((secret) =>
    macUnder(new Uint8Array(hkdfSync('sha256', secret, '', 'gancho callback URL v1', 32))),
  )
  const newest = macs[0] as (typeof macs)[number]
  const sealed = sealedHere()
  return {
    seal(capability) {
      const { awaitId, cnpj, upstream, expiresAt } = capability
      const seconds = Math.ceil(expiresAt / 1_000)
      const content = [awaitId, cnpj, seconds.toString(36), upstream].join('.')
      const text = `${content}.${newest(content).toString('base64url')}`
      sealed.remember(text, { ...capability, expiresAt: seconds * 1_000 })
      return text
    },
    open(text) {
      const known = sealed.find(text)
      if (known) return known.expiresAt < now() ? undefined : known
      const [, awaitId = '', cnpj = '', seconds = '', upstream = '', mac = ''] = form.exec(text) ?? []
      if (mac === '') return undefined
      const content = text.slice(0, -mac.length - 1)
      const given = Buffer.from(mac, 'base64url')
      // Each is compared, so that the time does not tell which secret was meant.
      const fits = macs.map((mac) => timingSafeEqual(mac(content), given))
      const expiresAt = Number.parseInt(seconds, 36) * 1_000
      if (!fits.includes(true) || expiresAt < now()) return undefined
      return { awaitId, cnpj, expiresAt, upstream }
    },
  }
}

/** The last capabilities that were sealed here. Whoever finds one has all of its text, and learns from no time how much of it fits. */
function sealedHere() {
  const byAwaitId = new Map<string, { bytes: Buffer; capability: Capability }>()
  return {
    remember(text: string, capability: Capability) {
      byAwaitId.set(capability.awaitId, { bytes: Buffer.from(text), capability })
      if (byAwaitId.size > rememberedCount) byAwaitId.delete(byAwaitId.keys().next().value ?? '')
    },
    find(text: string): Capability | undefined {
      const known = byAwaitId.get(text.slice(0, awaitIdLength))
      if (!known) return undefined
      const given = Buffer.from(text)
      const fits = given.length === known.bytes.length && timingSafeEqual(given, known.bytes)
      return fits ? known.capability : undefined
    },
  }
}
