import fc from 'fast-check'
import oracledb from 'oracledb'
import { describe, expect, test } from 'vitest'
import { inList } from '../../src/storage/in-list.ts'
import { boundValue, rowOf } from '../../src/storage/oracle/bind-values.ts'
import { batchesOf } from '../../src/storage/oracle/run-step.ts'

const { DB_TYPE_BLOB, DB_TYPE_CLOB, DB_TYPE_NUMBER, DB_TYPE_RAW, DB_TYPE_VARCHAR } = oracledb

describe('a batch for OracleDB', () => {
  test('gives each bind the type of its first value, and room for the longest in bytes', () => {
    const rows = [
      { n: 1, text: null, body: null, none: null },
      { n: 2, text: 'ação', body: Buffer.from('abc'), none: null },
      { n: 3, text: 'é', body: Buffer.alloc(0), none: null },
    ]
    expect(batchesOf(rows)).toEqual([
      {
        rows,
        bindDefs: {
          n: { type: DB_TYPE_NUMBER },
          text: { type: DB_TYPE_VARCHAR, maxSize: 6 },
          body: { type: DB_TYPE_RAW, maxSize: 3 },
          none: { type: DB_TYPE_VARCHAR, maxSize: 1 },
        },
      },
    ])
  })

  test('has rows whose text or bytes are beyond a plain value go as LOBs, apart from the others', () => {
    const [small, large] = ['a'.repeat(4_000), 'é'.repeat(2_001)]
    const [few, many] = [Buffer.alloc(2_000), Buffer.alloc(2_001)]
    const rows = [
      { n: 1, text: large, body: few },
      { n: 2, text: small, body: few },
      { n: 3, text: large, body: few },
      { n: 4, text: small, body: many },
    ]
    const batches = batchesOf(rows).map(({ rows: bound, bindDefs: { text, body } }) => ({
      ns: bound.map(({ n }) => n),
      types: [text?.type, body?.type],
    }))
    expect(batches).toEqual([
      { ns: [1, 3], types: [DB_TYPE_CLOB, DB_TYPE_RAW] },
      { ns: [2], types: [DB_TYPE_VARCHAR, DB_TYPE_RAW] },
      { ns: [4], types: [DB_TYPE_VARCHAR, DB_TYPE_BLOB] },
    ])
  })

  test('takes bytes that are part of something larger, and nothing around them', () => {
    const whole = Buffer.from('before, it, after')
    const [batch] = batchesOf([{ body: new Uint8Array(whole.buffer, whole.byteOffset + 8, 2) }])
    expect(batch?.rows).toEqual([{ body: Buffer.from('it') }])
  })

  test('of no rows is none', () => {
    expect(batchesOf([])).toEqual([])
  })
})

describe('texts in OracleDB', () => {
  test('are never empty, and are read as they were', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('\0', 'a') }))
    fc.assert(
      fc.property(text, (written) => {
        const bound = boundValue(written)
        expect(bound).not.toBe('')
        expect(rowOf(['A_TEXT'], [bound])).toEqual({ a_text: written })
      }),
    )
  })

  test('are told from no text', () => {
    expect(boundValue(null)).toBeNull()
    expect(rowOf(['A', 'B'], [null, undefined])).toEqual({ a: null, b: null })
  })
})

describe('a list of values', () => {
  test('holds each of them, and none but them, in one of few lengths', () => {
    const texts = new Set<string>()
    for (let length = 1; length <= 500; length++) {
      const values = Array.from({ length }, (_, at) => at + 1)
      const { sql, binds } = inList('n', 'n', values)
      expect(new Set(Object.values(binds))).toEqual(new Set(values))
      texts.add(sql)
    }
    expect(texts.size).toBe(4)
  })

  test('longer than OracleDB takes is cut', () => {
    const values = Array.from({ length: 1_001 }, (_, at) => at + 1)
    const { sql, binds } = inList('n', 'n', values)
    expect(sql.match(/IN \(/g)).toHaveLength(3)
    expect(Object.values(binds)).toEqual(values)
    expect(Object.keys(binds).every((name) => new RegExp(`:${name}\\b`).test(sql))).toBe(true)
  })

  test('of none matches nothing', () => {
    expect(inList('n', 'n', [])).toEqual({ sql: '1 = 0', binds: {} })
  })
})
