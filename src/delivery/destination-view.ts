import type {
  Destination,
  DestinationAuth,
  DestinationSecrets,
  DestinationSettings,
  StoredDestination,
} from './destination.ts'

/** A destination as people see it. Of its secrets it tells that they are there, never what they are. */
export type DestinationView = DestinationSettings & {
  /** Null when they cannot be read, because the encryption secret is another. */
  shown: {
    headerNames: string[]
    authKind: DestinationAuth['kind']
    /** For each signing secret, newest first, the epoch milliseconds at which it ends; null for one that does not. */
    signingSecretEnds: (number | null)[]
  } | null
}

export function viewOf(destination: DestinationSettings | Destination | StoredDestination): DestinationView {
  const { headers, auth, signingSecrets, secrets, ...settings } = destination as DestinationSettings &
    Partial<DestinationSecrets & StoredDestination>
  if (!headers || !auth || !signingSecrets) return { ...settings, shown: null }
  const shown = {
    headerNames: Object.keys(headers),
    authKind: auth.kind,
    signingSecretEnds: signingSecrets.map(({ endsAt }) => endsAt),
  }
  return { ...settings, shown }
}
