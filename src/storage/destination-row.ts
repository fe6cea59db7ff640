import type { DestinationSettings, StoredDestination } from '../delivery/destination.ts'
import type { Binds, Row } from './sql.ts'

export const destinationColumns = [
  ...(['id', 'cnpj', 'name', 'url', 'queue', 'active', 'settings', 'secrets'] as const),
  ...(['created_at', 'updated_at', 'version'] as const),
] as const

/** What no statement asks for by itself. */
type Packed = Omit<
  DestinationSettings,
  'id' | 'cnpj' | 'name' | 'url' | 'queue' | 'active' | 'createdAt' | 'updatedAt' | 'version'
>

/** Binds for `destinationColumns`. */
export function destinationBinds(destination: StoredDestination): Binds {
  const { id, cnpj, name, url, queue, active, secrets, createdAt, updatedAt, version, ...packed } =
    destination
  return {
    ...{ id, cnpj, name, url, queue, secrets, version },
    active: active ? 1 : 0,
    settings: JSON.stringify(packed satisfies Packed),
    created_at: createdAt,
    updated_at: updatedAt,
  }
}

export function destinationOfRow(row: Row): StoredDestination {
  const packed: Packed = JSON.parse(String(row.settings))
  return {
    ...packed,
    // Older rows do not have it.
    fifoBlockSeconds: packed.fifoBlockSeconds ?? null,
    id: String(row.id),
    cnpj: row.cnpj === null ? null : String(row.cnpj),
    name: String(row.name),
    url: String(row.url),
    queue: String(row.queue),
    active: row.active === 1,
    secrets: String(row.secrets),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    version: Number(row.version),
  }
}
