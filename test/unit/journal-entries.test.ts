import { expect, test } from 'vitest'
import { parseEntry } from '../../src/journal/entry.ts'

const entry = {
  ...{ id: '5-0', n: 7, status: 'QUEUED', previous: 'RECEIVED', round: 0, attempts: 0, eventId: 'e-7' },
  ...{ cnpj: '11222333000181', destination: 'd', queue: 'nifi', at: 1_700_000_000_000 },
}

test.each([
  ['order.paid', 'order.paid'],
  ['a type  with blanks ', 'a type  with blanks '],
  ['', null],
])('a change is read with its type as it was sent: %j', (type, eventType) => {
  const change = `7 QUEUED RECEIVED 0 0 e-7 11222333000181 d nifi 1700000000000 ${type}`
  expect(parseEntry(['5-0', ['change', change]])).toEqual({ ...entry, eventType })
})

test('the first change of a job has none before it', () => {
  const change = '7 RECEIVED  0 0 e-7 11222333000181 d nifi 1700000000000 t'
  expect(parseEntry(['5-0', ['change', change]])).toMatchObject({
    n: 7,
    previous: null,
    round: 0,
    eventId: 'e-7',
  })
})

test('what earlier versions left in the journal is read as it was written', () => {
  const fields = [
    ...['n', '7', 'status', 'QUEUED', 'previous', 'RECEIVED', 'round', '0', 'attempts', '0', 'event', 'e-7'],
    ...['cnpj', entry.cnpj, 'destination', 'd', 'queue', 'nifi', 'type', 'a b', 'at', String(entry.at)],
  ]
  expect(parseEntry(['5-0', fields])).toEqual({ ...entry, eventType: 'a b' })
})
