// Sends callbacks at a rate of its own, over HTTP or, for the bare baseline, as Redis messages. The address of Redis is the first
// argument.
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Agent, request } from 'undici'
import { monotonicMs, serveBench } from '../harness/parent.ts'

export type Callback = { id: string; url: string }
export type Sending = { callbacks: Callback[]; body: string; perSecond: number }
/** When each callback was sent, and how long after its time the slowest 1 % were. */
export type Sent = [id: string, sentMs: number, lateMs: number]

const agent = new Agent({ connections: 64, pipelining: 1 })
const redis = new Redis(process.argv[2] ?? '')

async function post(url: string, body: string): Promise<void> {
  const answer = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    dispatcher: agent,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const text = await answer.body.text()
  if (answer.statusCode !== 202) throw new Error(`${url} answered ${answer.statusCode} ${text}`)
}

/** Nothing waits for the answer to what came before: a stall shows in all that come after it. */
async function send({ callbacks, body, perSecond }: Sending): Promise<Sent[]> {
  const sent: Sent[] = []
  const running: Promise<unknown>[] = []
  const startedAt = monotonicMs()
  for (const [turn, { id, url }] of callbacks.entries()) {
    const due = startedAt + (turn * 1_000) / perSecond
    const early = due - monotonicMs()
    if (early > 0) await sleep(early)
    const now = monotonicMs()
    sent.push([id, now, now - due])
    running.push(url === '' ? redis.publish('replies', `${id}${body}`) : post(url, body))
  }
  await Promise.all(running)
  return sent
}

serveBench({ send })
