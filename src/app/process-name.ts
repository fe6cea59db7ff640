import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'

/** A name that no other process has, nor had; tells people where it runs. */
export const processName = () => `${hostname()}.${process.pid}.${randomUUID().slice(0, 8)}`
