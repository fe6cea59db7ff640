import { setTimeout as sleep } from 'node:timers/promises'
import { type Receiver, startReceiver } from './receiver.ts'

/** What a receiver got, by its own count. An attempt is named `<job>.<round>.<attempt>`. */
export type ReceiverBook = {
  /** How often each attempt came. */
  arrivals: Map<string, number>
  /** The attempts answered with 200, by job. */
  taken: Map<string, string[]>
  /** All requests. */
  total(): number
}

/** What becomes of event number `i` at the receiver: most are taken, some fail at first, a few at every attempt. */
export function fateOf(i: number): 'taken' | 'fails once' | 'fails' {
  if (i % 50 === 7) return 'fails'
  return i % 20 === 3 ? 'fails once' : 'taken'
}

/** Takes its time over each request, up to `maxDelayMs`, so that a worker that is killed has some in hand. Keeps no bodies. */
export async function startLedgerReceiver(
  random: () => number,
  maxDelayMs: number,
): Promise<Receiver & { book: ReceiverBook }> {
  const arrivals = new Map<string, number>()
  const taken = new Map<string, string[]>()
  let total = 0
  const receiver = await startReceiver(async (response, { headers, body }) => {
    receiver.received.length = 0
    const [job, round, number] = ['job', 'round', 'attempt'].map((name) =>
      String(headers[`x-gancho-${name}`]),
    )
    const attempt = `${job}.${round}.${number}`
    total += 1
    arrivals.set(attempt, (arrivals.get(attempt) ?? 0) + 1)
    await sleep(random() * maxDelayMs)
    const fate = fateOf(JSON.parse(body.toString()).i)
    const fails = fate === 'fails' || (fate === 'fails once' && number === '1')
    if (!fails) taken.set(job ?? '', [...(taken.get(job ?? '') ?? []), attempt])
    response.statusCode = fails ? 500 : 200
    response.end()
  })
  return Object.assign(receiver, { book: { arrivals, taken, total: () => total } })
}
