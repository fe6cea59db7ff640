import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { gancho } from '../support/command-line.ts'

type Asked = { headers: IncomingHttpHeaders; body: { query: string; variables: Record<string, unknown> } }

let asked: Asked[]
/** Answers to the requests, in their order. */
let answers: ((response: ServerResponse) => void)[]
let env: Record<string, string>
let close: () => Promise<void>

beforeEach(async () => {
  asked = []
  answers = []
  const server = createServer(async (request, response) => {
    asked.push({ headers: request.headers, body: (await json(request)) as Asked['body'] })
    const answer = answers.shift()
    if (answer) answer(response)
    else response.writeHead(500).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  env = { GANCHO_URL: url, GANCHO_TOKEN: 'gnt_of-a-tenant', NO_COLOR: '1' }
  close = async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
})
afterEach(() => close())

const change = (cursor: string, fields: Record<string, unknown> = {}) => ({
  ...{ __typename: 'JobStatusChanged', cursor, jobId: 'ID-7', status: 'DELIVERED' },
  ...{ previousStatus: 'DELIVERING', attempt: 2, at: '2026-11-22T12:59:25.037Z', ...fields },
})
const next = (id: string, message: unknown) =>
  `event: next\nid: ${id}\ndata: ${JSON.stringify({ data: { jobEvents: message } })}\n\n`
const begin = (response: ServerResponse) =>
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
/** A stream of these texts that ends, breaks off, or stays open. */
const stream = (texts: string[], then: 'ends' | 'breaks' | 'stays') => (response: ServerResponse) => {
  begin(response)
  response.write(texts.join(''), () => {
    if (then === 'ends') response.end('event: complete\ndata:\n\n')
    if (then === 'breaks') response.socket?.destroy()
  })
}
const refusal =
  (status: number, code: string, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    const error = { code, message: `Because of ${code}.`, requestId: 'r-1' }
    response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify({ error }))
  }

describe('gancho tail', () => {
  test('asks with the token and the filters, and shows each change on a line', async () => {
    answers = [
      stream(
        [
          ': hello\n\n',
          next('e.1-0', change('e.1-0')),
          next(
            'e.2-0',
            change('e.2-0', {
              jobId: 'ID-8\u001b[2J',
              previousStatus: null,
              attempt: null,
              status: 'RECEIVED',
            }),
          ),
        ],
        'stays',
      ),
    ]
    const args = [
      'tail',
      '-n',
      '2',
      '-s',
      'delivered,received',
      '-q',
      'nifi',
      '--id',
      'ID-7',
      '-t',
      'order.created',
    ]
    const { code, stdout, stderr } = await gancho([...args, '--after', 'e.0-0'], { env })
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout:
        '2026-11-22 12:59:25  ID-7        DELIVERING → DELIVERED (attempt 2)\n' +
        '2026-11-22 12:59:25  ID-8\ufffd[2J    RECEIVED\n',
    })
    expect(stderr).toBe('To go on from here: gancho tail --after e.2-0\n')
    const [{ headers, body } = {}] = asked
    expect(headers).toMatchObject({
      authorization: 'Bearer gnt_of-a-tenant',
      accept: 'text/event-stream',
      'content-type': 'application/json',
      'last-event-id': 'e.0-0',
    })
    expect(body?.variables).toEqual({
      after: 'e.0-0',
      filter: {
        statuses: ['DELIVERED', 'RECEIVED'],
        queue: 'nifi',
        ids: ['ID-7'],
        eventType: 'order.created',
      },
    })
  })

  test('takes a stream that broke off or ended up again behind the last cursor, also one that came without a change', async () => {
    answers = [
      stream(['retry: 1\n\n', next('e.1-0', change('e.1-0')), 'id: e.5-0\n\n'], 'breaks'),
      stream([next('e.6-0', change('e.6-0'))], 'ends'),
      stream([next('e.7-0', change('e.7-0'))], 'stays'),
    ]
    const { code, stdout, stderr } = await gancho(['tail', '--json', '-n', '3'], { env })
    expect(code, stderr).toBe(0)
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).cursor),
    ).toEqual(['e.1-0', 'e.6-0', 'e.7-0'])
    expect(asked.map(({ headers, body }) => [headers['last-event-id'], body.variables.after])).toEqual([
      [undefined, undefined],
      ['e.5-0', 'e.5-0'],
      ['e.6-0', 'e.6-0'],
    ])
    expect(stderr).toMatch(
      /^The stream broke off \(.+\)\. Trying again in 0\.0 s\.\nThe stream has ended\. Trying again in/,
    )
  })

  test('says so where changes are missing', async () => {
    const gap = { __typename: 'JobEventsGap', cursor: 'e.9-0', reason: 'older than the journal' }
    answers = [stream([next('e.9-0', gap)], 'stays')]
    const { stdout } = await gancho(['tail', '-n', '1'], { env })
    expect(stdout).toBe('Changes are missing here: older than the journal\n')
  })

  test('waits as long as a server that cannot serve now asks it to', async () => {
    answers = [
      refusal(503, 'REDIS_UNAVAILABLE', { 'retry-after': '1' }),
      stream([next('e.1-0', change('e.1-0'))], 'stays'),
    ]
    const since = performance.now()
    const { code, stderr } = await gancho(['tail', '-n', '1'], { env })
    expect(code).toBe(0)
    expect(stderr).toContain('Because of REDIS_UNAVAILABLE. Trying again in 1.0 s.')
    expect(performance.now() - since).toBeGreaterThanOrEqual(1_000)
  })

  test.each([
    ['before the stream', refusal(401, 'UNAUTHENTICATED')],
    [
      'within it',
      stream(
        [
          `event: next\ndata: ${JSON.stringify({ errors: [{ message: 'Because of UNAUTHENTICATED.', extensions: { code: 'UNAUTHENTICATED', requestId: 'r-1' } }] })}\n\n`,
        ],
        'stays',
      ),
    ],
  ])('ends with what no repetition mends: %s', async (_where, answer) => {
    answers = [answer]
    const { code, stderr } = await gancho(['tail'], { env })
    expect(code).toBe(1)
    expect(stderr).toBe('gancho: Because of UNAUTHENTICATED. (UNAUTHENTICATED, request r-1)\n')
    expect(asked).toHaveLength(1)
  })

  test('ends with Ctrl-C as with a success, and says how to go on', async () => {
    answers = [stream([next('e.1-0', change('e.1-0'))], 'stays')]
    expect(await gancho(['tail'], { env, interruptAt: /ID-7/ })).toMatchObject({
      code: 0,
      stderr: 'To go on from here: gancho tail --after e.1-0\n',
    })
  })

  test('shows no token, whatever the server answers', async () => {
    answers = [
      (response) =>
        void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>gnt_of-a-tenant'),
    ]
    const { stdout, stderr } = await gancho(['jobs'], { env })
    expect(stderr).toMatch(/answered 200 with something that is not Gancho's/)
    expect(`${stdout}${stderr}`).not.toContain('gnt_of-a-tenant')
  })
})
