import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { type Repeating, repeat } from '../../src/redis/repeat.ts'
import { until } from '../support/client.ts'

let repeating: Repeating | undefined
afterEach(() => repeating?.stop())

/** Runs turns that fail with these errors, one after the other, and then go well; what is logged of them. */
async function loggedOf(errors: readonly (Error | null)[]): Promise<string[]> {
  const lines: string[] = []
  const write = (line: string) => {
    const { msg, err } = JSON.parse(line)
    lines.push(err ? `${msg}: ${err.message}` : msg)
  }
  let turns = 0
  const turn = async () => {
    const error = errors[turns++]
    if (error) throw error
    return false
  }
  repeating = repeat({ name: 'it', log: pino({ level: 'info' }, { write }), everyMs: 1, turn })
  repeating.start()
  await until(() => turns > errors.length, { what: 'a turn after the last error' })
  await repeating.stop()
  return lines
}
const failed = 'it: failed, trying again'

test('an error that stays is logged once, and so is the end of it', async () => {
  const lines = await loggedOf([new Error('a'), new Error('a'), new Error('a')])
  expect(lines).toEqual([`${failed}: a`, 'it: working again'])
})

test('another error behind the first is logged too, also when only its cause differs', async () => {
  const away = (reason: string) => new Error('away', { cause: new Error(reason) })
  const lines = await loggedOf([away('locked'), away('locked'), away('full'), away('locked'), new Error('b')])
  expect(lines.map((line) => line.slice(0, failed.length + 6))).toEqual([
    `${failed}: away`,
    `${failed}: away`,
    `${failed}: b`,
    'it: working again',
  ])
})

test('an error that comes back after a turn that went well is logged again', async () => {
  const lines = await loggedOf([new Error('a'), null, new Error('a')])
  expect(lines).toEqual([`${failed}: a`, 'it: working again', `${failed}: a`, 'it: working again'])
})

test('errors that are never the same do not fill the log', async () => {
  const lines = await loggedOf(Array.from({ length: 100 }, (_, nth) => new Error(`error ${nth}`)))
  expect(lines.length).toBeLessThan(10)
})
