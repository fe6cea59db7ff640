import type { IncomingMessage } from 'node:http'
import { type ReceiverSwitch, readSwitch, statusOf } from './receiver-switch.ts'
import { type SampleAnswer, type SampleRequest, startSampleServer } from './sample-server.ts'

type Options = {
  /** 127.0.0.1 unless given. */
  host?: string
  /** 0 or none: any free one. */
  port?: number
  log: { info(message: string): void }
}
export type SampleReceiver = {
  /** Where events go. */
  url: string
  /** Where its failures are switched on and off. */
  switchUrl: string
  close(): Promise<void>
}
type Received = {
  at: string
  job: string
  type: string
  round: string
  attempt: string
  answered: number
  body: string
}
type State = { toggle: ReceiverSwitch; received: Received[]; total: number }

const excerptLength = 200
const kept = 20

/**
 * A receiver to try things out with: a real HTTP server that logs each event it gets and answers 200, or fails as
 * told by `POST /switch`. `GET /` shows its state and what it got last.
 */
export async function startSampleReceiver({ log, ...where }: Options): Promise<SampleReceiver> {
  const state: State = { toggle: { status: 200 }, received: [], total: 0 }
  const { origin, close } = await startSampleServer({
    ...where,
    answer: (asked) => answer(asked, state, log),
  })
  return { url: `${origin}/events`, switchUrl: `${origin}/switch`, close }
}

function answer({ request, path, query, body }: SampleRequest, state: State, log: Options['log']) {
  if (request.method === 'GET') return { status: 200, body: describe(state) }
  if (path !== '/switch') return receive(request, body, state, log)
  const asked = readSwitch(query, body.toString('utf8'))
  if (!asked.ok) return { status: 400, body: { error: asked.problem } }
  state.toggle = asked.toggle
  log.info(`Sample receiver answers ${words(state.toggle)}.`)
  return { status: 200, body: { status: asked.toggle.status, times: asked.toggle.times ?? null } }
}

function receive(request: IncomingMessage, body: Buffer, state: State, log: Options['log']): SampleAnswer {
  const { status, next } = statusOf(state.toggle)
  state.toggle = next
  const header = (name: string) => String(request.headers[name] ?? '-').slice(0, 100)
  const text = body.toString('utf8')
  const received = {
    at: new Date().toISOString(),
    job: header('x-gancho-job'),
    type: header('x-event-type'),
    round: header('x-gancho-round'),
    attempt: header('x-gancho-attempt'),
    answered: status,
    body: text.length > excerptLength ? `${text.slice(0, excerptLength)}… (${body.length} bytes)` : text,
  }
  state.received = [received, ...state.received].slice(0, kept)
  state.total += 1
  const { job, type, round, attempt } = received
  // As JSON, so that no sender can write lines of its own into the log.
  log.info(
    `Sample receiver got ${job} (type ${type}, round ${round}, attempt ${attempt}), answers ${status}: ${JSON.stringify(received.body)}`,
  )
  return { status, body: { received: job } }
}

const words = ({ status, times }: ReceiverSwitch) =>
  times ? `${status} ${times} more times, then 200` : `${status}`

const describe = ({ toggle, total, received }: State) => ({
  what: "Gancho's sample receiver: it logs the events it gets on any path, /events for one, and answers 200.",
  switch:
    'POST /switch?status=500&times=3 makes it answer 500 three times; without times, until POST /switch?status=200.',
  answers: words(toggle),
  total,
  received,
})
