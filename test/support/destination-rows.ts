import type { Destination, StoredDestination } from '../../src/delivery/destination.ts'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'

/** A destination that takes everything. */
export const sampleDestination = (part: Partial<Destination> = {}): Destination => ({
  ...environmentDestination('http://127.0.0.1:1/'),
  ...{ id: 'dst_sample', name: 'açaí', maxConcurrency: 10 },
  ...part,
})

/** As it is stored, with nothing behind `secrets`. */
export function destinationRow(id: string, part: Partial<StoredDestination> = {}): StoredDestination {
  const { headers: _headers, auth: _auth, signingSecrets: _secrets, ...settings } = sampleDestination()
  return { ...settings, id, secrets: `v1.${id}`, ...part }
}
