import { randomUUID } from 'node:crypto'

/**
 * A random UUID (RFC 9562, version 4) in one piece. `randomUUID` gives some twenty, which whoever reads it first has to put together,
 * and for a header of an answer that is long after; V8 does it here, where they are at hand.
 */
export const flatUuid = (): string => randomUUID().toLowerCase()
