/** `application/json`, or any type with the suffix `+json` (RFC 6839). */
export function isJson(contentType: string | null): boolean {
  return contentType !== null && /^\s*[\w.+-]+\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType)
}
