import { describe, expect, test } from 'vitest'
import { parseEntry } from '../../src/journal/entry.ts'
import { judgeRead } from '../../src/journal/journal-read.ts'
import type { JournalState } from '../../src/journal/journal-state.ts'

const entry = (id: string) => parseEntry([id, ['change', '7']])
const from = { epoch: 'one', id: '10-0' }
const state = (given: Partial<JournalState> = {}): JournalState => ({
  ...{ epoch: 'one', trimmedTo: '0-0', lastId: '30-0' },
  ...given,
})
/** What a reader at 10-0 is told: ids, and gaps with where they end. */
const told = (ids: string[], given: Partial<JournalState> = {}) => {
  const { items, to, continues } = judgeRead(from, ids.map(entry), state(given))
  const texts = items.map((item) =>
    item.kind === 'gap' ? `${item.reason} ${item.position.id}` : item.entry.id,
  )
  return { texts, to, continues }
}

describe('a read of the journal', () => {
  test('is whole while nothing behind the position was removed', () => {
    for (const trimmedTo of ['0-0', '9-5', '10-0']) {
      const { texts, to, continues } = told(['11-0', '12-0'], { trimmedTo })
      expect([texts, to, continues]).toEqual([['11-0', '12-0'], { epoch: 'one', id: '12-0' }, true])
    }
    expect(told([]).to).toEqual(from)
  })

  test('has a gap where something behind the position was removed before it was read', () => {
    expect(told(['13-0'], { trimmedTo: '12-0' }).texts).toEqual(['JOURNAL_TRIMMED 12-0', '13-0'])
    const nothingLeft = told([], { trimmedTo: '30-0' })
    expect(nothingLeft.texts).toEqual(['JOURNAL_TRIMMED 30-0'])
    expect(nothingLeft.to).toEqual({ epoch: 'one', id: '30-0' })
  })

  test('has none where it was removed after it was read', () => {
    expect(told(['11-0', '12-0', '13-0'], { trimmedTo: '12-0' }).texts).toEqual(['11-0', '12-0', '13-0'])
    expect(told(['11-0'], { trimmedTo: '12-0' }).texts).toEqual(['11-0'])
  })

  test('of another data set gives nothing but the gap, and where that one begins', () => {
    const { texts, to, continues } = told(['11-0'], { epoch: 'two', trimmedTo: '5-0' })
    expect([texts, to, continues]).toEqual([['JOURNAL_REPLACED 5-0'], { epoch: 'two', id: '5-0' }, false])
  })

  test('of an older state gives nothing but the gap, and goes on at its end', () => {
    const { texts, to, continues } = told([], { lastId: '9-9' })
    expect([texts, to, continues]).toEqual([['JOURNAL_WENT_BACK 9-9'], { epoch: 'one', id: '9-9' }, false])
    expect(told([], { lastId: '10-0' }).texts).toEqual([])
  })
})
