import pino from 'pino'
import { expect, it } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { LastUses } from '../../src/tenants/last-uses.ts'

const log = pino({ level: 'silent' })

function open() {
  const written: { id: string; at: number }[][] = []
  const database = { isDown: false }
  const write = async (uses: readonly { id: string; at: number }[]) => {
    if (database.isDown) throw new GanchoError('DATABASE_UNAVAILABLE')
    written.push([...uses])
  }
  return { written, database, uses: new LastUses({ write, what: 'tokens', log }) }
}

it('writes the latest use of each token, many at once and each once', async () => {
  const { written, uses } = open()
  for (let at = 0; at < 1_200; at++) uses.note(`t${at}`, at)
  uses.note('t0', 5_000)
  await uses.write()
  expect(written.map((batch) => batch.length)).toEqual([500, 500, 200])
  expect(written[0]?.[0]).toEqual({ id: 't0', at: 5_000 })
  await uses.close()
  expect(written).toHaveLength(3)
})

it('keeps what could not be written for the next time', async () => {
  const { written, database, uses } = open()
  uses.note('a', 1)
  database.isDown = true
  await uses.write()
  database.isDown = false
  uses.note('b', 2)
  await uses.close()
  expect(written).toEqual([
    [
      { id: 'a', at: 1 },
      { id: 'b', at: 2 },
    ],
  ])
})
