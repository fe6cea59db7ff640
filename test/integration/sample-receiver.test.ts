import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SampleReceiver, startSampleReceiver } from '../../src/welcome/sample-receiver.ts'
import { until } from '../support/client.ts'
import { freePort } from '../support/free-port.ts'

let lines: string[]
let receiver: SampleReceiver

beforeEach(async () => {
  lines = []
  receiver = await startSampleReceiver({ log: { info: (line) => lines.push(line) } })
})
afterEach(() => receiver.close())

const post = (url: string, body = '', headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body, headers })
const event = async () => (await post(receiver.url, '{"order":1}')).status
const events = async (count: number) => {
  const statuses: number[] = []
  while (statuses.length < count) statuses.push(await event())
  return statuses
}

it('answers 200 and logs what it got on one line', async () => {
  const headers = {
    'x-gancho-job': 'ID-7',
    'x-event-type': 'order.created',
    'x-gancho-round': '0',
    'x-gancho-attempt': '2',
  }
  expect((await post(receiver.url, '{"order":\n1}', headers)).status).toBe(200)
  expect(lines).toEqual([
    String.raw`Sample receiver got ID-7 (type order.created, round 0, attempt 2), answers 200: "{\"order\":\n1}"`,
  ])
})

it('shows its state and what it got last, newest first', async () => {
  for (let n = 1; n <= 25; n++) await post(receiver.url, 'x'.repeat(1_000), { 'x-gancho-job': `ID-${n}` })
  const state = (await (await fetch(new URL('/', receiver.url))).json()) as { received: { body: string }[] }
  expect(state).toMatchObject({
    answers: '200',
    total: 25,
    received: { length: 20, 0: { job: 'ID-25', answered: 200 } },
  })
  expect(state.received[0]?.body.length).toBeLessThan(300)
})

describe('its switch', () => {
  it('makes it fail a number of times', async () => {
    expect((await post(`${receiver.switchUrl}?status=500&times=3`)).status).toBe(200)
    expect(await events(5)).toEqual([500, 500, 500, 200, 200])
  })

  it('makes it fail until switched back', async () => {
    await post(receiver.switchUrl, '{"status":503}')
    expect(await events(5)).toEqual([503, 503, 503, 503, 503])
    await post(receiver.switchUrl, '{"status":200}')
    expect(await event()).toBe(200)
  })

  it.each([
    ['?status=500&times=0', ''],
    ['?status=99', ''],
    ['?status=abc', ''],
    ['?times=3', ''],
    ['', '{"status":500,"times":1.5}'],
    ['', '{"status":'],
    ['', '[]'],
    ['', ''],
  ])('refuses %j with body %j and stays as it was', async (query, body) => {
    const response = await post(`${receiver.switchUrl}${query}`, body)
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('expected a status from 200 to 599')
    expect(await event()).toBe(200)
  })
})

it('refuses bodies beyond its bound', async () => {
  expect((await post(receiver.url, 'x'.repeat(8 * 1024 * 1024 + 1))).status).toBe(413)
  expect(lines).toEqual([])
})

it('listens on the port that it is given, once another has left it', async () => {
  await receiver.close()
  // Of those that the system gives to nobody while it is free.
  const port = await freePort()
  receiver = await startSampleReceiver({ port, log: { info: () => {} } })
  await expect(startSampleReceiver({ port, log: { info: () => {} } })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
  await receiver.close()
  receiver = await startSampleReceiver({ port, log: { info: () => {} } })
  expect(Number(new URL(receiver.url).port)).toBe(port)
})

it('is a process of its own where it is started as one, until it is told to stop', async () => {
  const script = fileURLToPath(new URL('../../script/sample-receiver.ts', import.meta.url))
  const child = spawn(process.execPath, [script, '--host', '127.0.0.1', '--port', '0'])
  try {
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
    })
    const urlIn = () => /at (http:\/\/127\.0\.0\.1:\d+\/events)\n/.exec(said)?.[1]
    const url = await until(urlIn, { what: () => `its address, have ${said}` })
    expect((await post(url, 'hello', { 'x-gancho-job': 'ID-1' })).status).toBe(200)
    await until(() => said.includes('Sample receiver got ID-1'), { what: () => `ID-1, have ${said}` })
    expect((await fetch(new URL('/health/live', url))).status, 'as the image asks').toBe(200)
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  } finally {
    child.kill('SIGKILL')
  }
})
