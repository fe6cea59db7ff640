import { hash, randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import { keys } from '../redis/keys.ts'
import type { Identity } from './identity.ts'

/** `expiresAt`: epoch milliseconds. */
export type StreamTicket = { ticket: string; expiresAt: number }
/** A ticket that was shown, in the form that can be renewed. */
export type UsedTicket = { hash: string; identity: Identity }

export type StreamTickets = {
  /** @throws GanchoError REDIS_UNAVAILABLE */
  create(identity: Identity): Promise<StreamTicket>
  /** Whom a ticket stands for. @throws GanchoError UNAUTHENTICATED, REDIS_UNAVAILABLE */
  use(ticket: string): Promise<UsedTicket>
  /** Has tickets hold for the whole time again, to be called while streams are open that they opened. */
  renew(tickets: readonly UsedTicket[]): Promise<void>
}

const form = /^gst_[\w-]{43}$/
const identityForm = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('admin'), name: z.string() }),
  z.object({ kind: z.literal('tenant'), cnpj: z.string(), tokenId: z.string() }),
])

/**
 * Stands for a token in an address, for browsers' EventSource, which can send no headers. Redis has a hash of it only; what it allows
 * is asked anew at each use, so that it ends with the token it was made by.
 */
export function streamTickets(redis: Redis, ttlMs: number, now = Date.now): StreamTickets {
  const keep = (hashed: string, identity: Identity) =>
    redis.set(keys.ticket(hashed), JSON.stringify(identity), 'PX', ttlMs)
  return {
    async create(identity) {
      const ticket = `gst_${randomBytes(32).toString('base64url')}`
      await keep(hashOf(ticket), identity)
      return { ticket, expiresAt: now() + ttlMs }
    },
    async use(ticket) {
      const hashed = form.test(ticket) ? hashOf(ticket) : undefined
      const found = hashed === undefined ? null : await redis.get(keys.ticket(hashed))
      if (hashed === undefined || found === null)
        throw new GanchoError('UNAUTHENTICATED', 'This stream ticket is not valid, or not any more.')
      return { hash: hashed, identity: identityForm.parse(JSON.parse(found)) }
    },
    async renew(tickets) {
      // Written anew, because a Redis that was replaced knows none of them.
      await Promise.all(tickets.map((ticket) => keep(ticket.hash, ticket.identity)))
    },
  }
}

/** The ticket is random and long: its hash tells nothing of it, with no key needed. */
const hashOf = (ticket: string) => hash('sha256', ticket)
