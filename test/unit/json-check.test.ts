import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { parseJson } from '../../src/events/json-check.ts'
import { jsonBody } from '../../src/rest/json-body.ts'

function refusal(body: Buffer): GanchoError | undefined {
  try {
    parseJson(body)
  } catch (error) {
    if (error instanceof GanchoError && error.code === 'INVALID_JSON') return error
    throw error
  }
}

describe('JSON', () => {
  it('is taken exactly when JSON.parse takes it', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 1 }), (text, at, other) => {
        const place = at % (text.length + 1)
        const changed = Buffer.from(text.slice(0, place) + other + text.slice(place + 1))
        let expected: unknown
        try {
          expected = JSON.parse(changed.toString())
        } catch {
          expect(refusal(changed)?.details?.position).toBeDefined()
          return
        }
        expect(parseJson(changed)).toEqual(expected)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['', 1, 1, 0],
    ['{"a":1,}', 1, 8, 7],
    ['[1,]', 1, 4, 3],
    ['{\n  "a": tru\n}', 2, 8, 9],
    ['{"ação": 1\n"b": 2}', 2, 1, 11],
    ['// why\n{}', 1, 1, 0],
    ['{} {}', 1, 4, 3],
    ["{'a': 1}", 1, 2, 1],
    ['\uFEFF{}', 1, 1, 0],
  ])('%j is refused with its position: line %i, column %i, offset %i', (text, line, column, offset) => {
    const error = refusal(Buffer.from(text))
    expect(error?.details).toEqual({ position: { line, column, offset } })
    expect(error?.message).toMatch(
      new RegExp(
        `^The body is not valid JSON: .+ at line ${line}, column ${column} \\(offset ${offset}\\)\\.$`,
      ),
    )
  })

  it('is refused in bytes that are not UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc3, 0x22],
      [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00],
    ])
      expect(refusal(Buffer.from(bytes))?.message).toContain('UTF-8')
  })

  it('is refused, and nothing breaks, when it is nested too deep to say where', () => {
    expect(refusal(Buffer.from('['.repeat(200_000)))?.message).toMatch(/^The body is not valid JSON: /)
  })

  it('must be an object where a route wants one', () => {
    expect(jsonBody({ body: Buffer.from('{"a":[1]}') })).toEqual({ a: [1] })
    for (const other of ['[]', 'null', '1', '"x"'])
      expect(() => jsonBody({ body: Buffer.from(other) })).toThrow(
        expect.objectContaining({ code: 'BAD_REQUEST' }),
      )
    expect(() => jsonBody({ body: Buffer.alloc(0) })).toThrow(
      expect.objectContaining({ code: 'INVALID_JSON' }),
    )
  })
})
