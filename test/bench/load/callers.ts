// Callers who wait for an answer: each holds a request open, or, for the bare baseline, waits for a Redis message. The address of Redis
// is the first argument.
import { Redis } from 'ioredis'
import { Agent, request } from 'undici'
import { monotonicMs, serveBench } from '../harness/parent.ts'

export type Waiting = { id: string; url: string; headers: Record<string, string>; body: string }

const agent = new Agent({ connections: 4_000, pipelining: 1 })
const redis = new Redis(process.argv[2] ?? '')
const answers = new Map<string, Promise<number>>()
const listening = new Map<string, (at: number) => void>()
redis.on('message', (_channel: string, message: string) =>
  listening.get(message.slice(0, 36))?.(monotonicMs()),
)
await redis.subscribe('replies')

async function untilAnswered({ url, headers, body }: Waiting): Promise<number> {
  const answer = await request(url, {
    ...{ method: 'POST', headers, body, dispatcher: agent },
    ...{ headersTimeout: 0, bodyTimeout: 0 },
  })
  const text = await answer.body.text()
  const at = monotonicMs()
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode} ${text}`)
  return at
}

const untilTold = (id: string) =>
  new Promise<number>((resolve) => listening.set(id, resolve)).finally(() => listening.delete(id))

serveBench({
  begin(waits: Waiting[]) {
    for (const wait of waits) answers.set(wait.id, wait.url === '' ? untilTold(wait.id) : untilAnswered(wait))
  },
  /** When each of these was answered. */
  async answered(ids: string[]) {
    const times = await Promise.all(ids.map(async (id) => [id, await answers.get(id)]))
    for (const id of ids) answers.delete(id)
    return times
  },
})
