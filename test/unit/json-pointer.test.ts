import { describe, expect, test } from 'vitest'
import { jsonPointerForm, valueAt } from '../../src/sync/upstream/json-pointer.ts'

describe('the document of RFC 6901, section 5', () => {
  const document = {
    foo: ['bar', 'baz'],
    '': 0,
    'a/b': 1,
    'c%d': 2,
    'e^f': 3,
    'g|h': 4,
    'i\\j': 5,
    'k"l': 6,
    ' ': 7,
    'm~n': 8,
  }

  test.each([
    ['', document],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
  ])('has the value that %j names', (pointer, value) => {
    expect(jsonPointerForm.test(pointer)).toBe(true)
    expect(valueAt(document, pointer)).toEqual(value)
  })
})

test('~01 is a tilde and a one, not a slash', () => {
  expect(valueAt({ '~1': 'found', '/': 'wrong' }, '/~01')).toBe('found')
})

test.each([
  ['/list/2', 'beyond the end'],
  ['/list/-', 'the place after the last'],
  ['/list/01', 'a leading zero'],
  ['/list/1e0', 'no index'],
  ['/list/length', 'what JavaScript adds to a list'],
  ['/text/0', 'a character of a text'],
  ['/text/length', 'what JavaScript adds to a text'],
  ['/constructor', 'what JavaScript adds to an object'],
  ['/nothing/below', 'below null'],
  ['/missing/below', 'below nothing'],
])('finds nothing at %s: %s', (pointer) => {
  expect(valueAt({ list: [1, 2], text: 'abc', nothing: null }, pointer)).toBeUndefined()
})

test('finds a member that is named like a part of JavaScript when the text holds it', () => {
  expect(valueAt(JSON.parse('{"__proto__":{"id":1}}'), '/__proto__/id')).toBe(1)
})

test.each(['id', 'data/id', '/a~', '/a~2', '#/id'])('%j is no pointer', (text) => {
  expect(jsonPointerForm.test(text)).toBe(false)
})
