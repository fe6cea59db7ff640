/** Where jobs go. */
export type Destination = {
  /** Part of the `webhook-id` that receivers see, so it stays the same as long as the destination lives and has no full stop. */
  id: string
  url: string
  /** The lane whose worker delivers to it. */
  queue: string
  /** Sent with every attempt, below the headers that Gancho itself sets. */
  headers: Record<string, string>
  /** Deadline of a whole attempt, from the connection to the last byte of the answer. */
  timeoutMs: number
}
