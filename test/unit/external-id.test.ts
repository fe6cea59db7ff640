import { expect, test } from 'vitest'
import { externalIdIn } from '../../src/sync/upstream/external-id.ts'

test.each([
  ['"QR-1"', 'QR-1'],
  ['7', '7'],
  ['0', '0'],
  ['-3', '-3'],
  ['9007199254740991', '9007199254740991'],
  ['9007199254740993', '9007199254740993'],
  ['12345678901234567890123', '12345678901234567890123'],
  ['1.5', '1.5'],
])('the id %s reads %s', (written, id) => {
  expect(externalIdIn(`{"data":[{"id":${written}}]}`, '/data/0/id')).toBe(id)
})

test.each(['null', 'true', '""', '{}', '["a"]', `"${'x'.repeat(513)}"`])('%s is no id', (written) => {
  expect(externalIdIn(`{"id":${written}}`, '/id')).toBeUndefined()
})

test('two large numbers that JavaScript takes for one are two ids', () => {
  const [one, other] = ['9007199254740992', '9007199254740993']
  expect(Number(one)).toBe(Number(other))
  expect(externalIdIn(`{"id":${one}}`, '/id')).not.toBe(externalIdIn(`{"id":${other}}`, '/id'))
})

test('what is not JSON is told', () => {
  expect(() => externalIdIn('<html>', '/id')).toThrow(SyntaxError)
})
