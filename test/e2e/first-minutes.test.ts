import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { until } from '../support/client.ts'
import { isRunning } from '../support/processes.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { type TypedLine, typeLine } from '../support/terminal.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let dataDir: string
let gancho: TypedLine

/** Waits for a line of that form, and returns it. */
const line = ({ output }: TypedLine, form: RegExp) =>
  until(() => form.exec(output())?.[0].trim(), { what: () => `a line ${form} in:\n${output()}` })
const type = async (text: string) => {
  const typed = typeLine(text)
  expect(await typed.ended, typed.output()).toBe(0)
  return typed.output()
}
/** What the sample receiver logged of a job: `attempt answered`. */
const arrivals = (id: string) =>
  [...gancho.output().matchAll(/Sample receiver got (ID-\d+) \(.*attempt (\d+)\), answers (\d+): (.*)/g)]
    .filter(([, job]) => job === id)
    .map(([, , attempt, status, body]) => ({ attempt: Number(attempt), status: Number(status), body }))

beforeAll(async () => {
  folder = await temporaryFolder()
  dataDir = join(folder.path, 'of a newcomer')
  const env = { DATA_DIR: dataDir, PORT: '0', RETRY_SCHEDULE_SECONDS: '0,0,0,0', TIMEOUT: '60000' }
  // Without npm and its shell, which end with the signal and not with Gancho's own exit code.
  gancho = typeLine(`exec ${packageJson.scripts.start}`, env)
  await line(gancho, /Health .*/)
})
afterAll(async () => {
  await gancho.signal('SIGKILL')
  await folder.remove()
})

test('the pasted curl line is visibly delivered', async () => {
  const answer = await type(await line(gancho, /curl -i .*/))
  expect(answer).toContain('HTTP/1.1 202 Accepted')
  const { id } = JSON.parse(answer.split('\n').findLast((part) => part.startsWith('{')) ?? '')
  await until(() => arrivals(id).length > 0, { what: `${id} at the sample receiver` })
  expect(arrivals(id)).toEqual([{ attempt: 1, status: 200, body: expect.stringContaining('order') }])
})

test('switched to fail three times, the receiver gets the event a fourth time and takes it', async () => {
  await type(await line(gancho, /curl -X POST .*/))
  const answer = await type(await line(gancho, /curl -i .*/))
  const { id } = JSON.parse(answer.split('\n').findLast((part) => part.startsWith('{')) ?? '')
  await until(() => arrivals(id).length === 4, { what: `${id} at the sample receiver` })
  expect(arrivals(id).map(({ attempt, status }) => [attempt, status])).toEqual([
    [1, 500],
    [2, 500],
    [3, 500],
    [4, 200],
  ])
})

test('the pasted call is answered by the webhook of the sample upstream', async () => {
  const answer = JSON.parse(await type(await line(gancho, /curl -s .*/)))
  expect(answer.data.callAndAwait).toMatchObject({
    __typename: 'ReplyReceived',
    payload: { id: expect.stringMatching(/^qr_/), status: 'READY', for: { amount: 10 } },
  })
})

test('a second start on the same data is refused with a line that, pasted, starts a working second process', async () => {
  const refused = typeLine('npm start', { DATA_DIR: dataDir, PORT: '0' })
  expect(await refused.ended).not.toBe(0)
  expect(refused.output()).toContain(`Another Gancho runs on the data directory ${dataDir} already.`)
  const pasted = /^ *(\(set -a; .*\))$/m.exec(refused.output())?.[1] ?? 'no line to paste'
  expect(gancho.output(), 'the banner tells the same line').toContain(pasted)

  const second = typeLine(pasted)
  const health = await line(second, /http:.*\/health\/ready/)
  expect(await (await fetch(health)).json()).toMatchObject({ status: 'ready' })
  await second.signal('SIGINT')
  expect(second.output()).toMatch(/"msg":"stopped"}\n$/)
})

test('Ctrl-C ends it all cleanly, with exit code 0 and no server left', async () => {
  const server = Number(readFileSync(join(dataDir, 'redis', 'redis.pid'), 'utf8'))
  expect(isRunning(server)).toBe(true)
  expect(await gancho.signal('SIGINT'), gancho.output()).toBe(0)
  expect(gancho.output()).toContain('stopped')
  expect(isRunning(server)).toBe(false)
})
