const credential =
  /(^|-)auth($|-)|authorization|cookie|token|secret|passw|credential|session|(api|access|private|subscription)[-_]?key/

/** A copy in which the values of headers that look like credentials, by their lower-case name, read `***`. */
export function maskCredentials<Value extends string | string[]>(
  headers: Readonly<Record<string, Value>>,
): Record<string, Value | '***'> {
  const masked: Record<string, Value | '***'> = { ...headers }
  for (const name in masked) if (isCredential(name)) masked[name] = '***'
  return masked
}

/** Whether a header, by its lower-case name, looks like one that carries a credential. */
export function isCredential(name: string): boolean {
  // `www-authenticate` names a scheme, not a secret, and helps to find out why a receiver refuses.
  return credential.test(name) && name !== 'www-authenticate'
}
