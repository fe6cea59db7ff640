import { pino } from 'pino'
import { expect, test } from 'vitest'
import { thinOut } from '../../src/app/thin-out.ts'
import { GanchoError } from '../../src/errors.ts'

function openLog() {
  const lines: { msg: string; leftOut?: number }[] = []
  const clock = { now: 1_000 }
  const hooks = { logMethod: thinOut({ everyMs: 5_000, now: () => clock.now }) }
  const log = pino({ hooks }, { write: (line: string) => lines.push(JSON.parse(line)) })
  return { log, lines, clock }
}
const away = () => ({ err: new GanchoError('REDIS_UNAVAILABLE') })

test('what every request meets is told once in the interval, and then with the number of lines left out', () => {
  const { log, lines, clock } = openLog()
  for (let i = 0; i < 100; i += 1) log.error(away(), 'request failed')
  expect(lines.map(({ leftOut }) => leftOut)).toEqual([undefined])
  clock.now += 5_000
  log.error(away(), 'request failed')
  expect(lines.map(({ leftOut }) => leftOut)).toEqual([undefined, 99])
})

test('one trouble does not hide another', () => {
  const { log, lines } = openLog()
  log.error(away(), 'request failed')
  log.error({ err: new GanchoError('BACKLOG_FULL') }, 'request failed')
  expect(lines.length).toBe(2)
})

test('unexpected errors, and lines without an error, are all told', () => {
  const { log, lines } = openLog()
  for (let i = 0; i < 3; i += 1) {
    log.error({ err: new GanchoError('INTERNAL') }, 'request failed')
    log.error({ err: new Error('other') }, 'request failed')
    log.info('words')
  }
  expect(lines.length).toBe(9)
})
