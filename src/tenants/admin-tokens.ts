import { processDigest } from './remembered-hash.ts'

/** `read` may look at everything and change nothing. */
export type AdminAccess = 'full' | 'read'
export type AdminToken = { name: string; access: AdminAccess; token: string }
export type Administrator = { kind: 'admin'; name: string; access: AdminAccess }

/** The name of `ADMIN_TOKEN`. */
export const firstAdminName = 'admin'

const form = /^([\w.-]{1,64}):(full|read):([!-~]{16,512})$/

/** Reads `ops:full:<token>,board:read:<token>`; null when something in it is wrong, as a name or a token that is there twice. */
export function parseAdminTokens(text: string): AdminToken[] | null {
  const tokens: AdminToken[] = []
  for (const part of text.split(',')) {
    const [, name, access, token] = form.exec(part.trim()) ?? []
    if (name === undefined || token === undefined) return null
    tokens.push({ name, access: access as AdminAccess, token })
  }
  const names = new Set([firstAdminName, ...tokens.map(({ name }) => name)])
  const distinct = new Set(tokens.map(({ token }) => token))
  return names.size === tokens.length + 1 && distinct.size === tokens.length ? tokens : null
}

/** Recognises administrators by their tokens; undefined for any other token. */
export function adminTokens(tokens: readonly AdminToken[]): (token: string) => Administrator | undefined {
  const digestOf = processDigest()
  const known = new Map<string, Administrator>()
  // Of most tenants' tokens this is enough to know that they are none, which costs a hash less; how long a token is is no secret.
  const lengths = new Set(tokens.map(({ token }) => token.length))
  // Of two with the same token, the first counts.
  for (const { name, access, token } of tokens.toReversed())
    known.set(digestOf(token), { kind: 'admin', name, access })
  return (token) => (lengths.has(token.length) ? known.get(digestOf(token)) : undefined)
}
