import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCnpj } from '../../src/tenants/cnpj.ts'

const invalid = expect.objectContaining({ code: 'INVALID_CNPJ', status: 400 })

describe('a CNPJ', () => {
  it.each([
    ['12.ABC.345/01DE-35', '12ABC34501DE35'],
    ['12.abc.345/01de-35', '12ABC34501DE35'],
    ['  12ABC34501DE35\n', '12ABC34501DE35'],
    ['54.550.752/0001-55', '54550752000155'],
    ['54550752000155', '54550752000155'],
    ['54 550 752 0001 55', '54550752000155'],
  ])('%j is taken as %s', (input, normal) => {
    expect(parseCnpj(input)).toBe(normal)
  })

  it.each([
    '',
    '12.ABC.345/01DE-36',
    '54550752000156',
    '00000000000000',
    '5455075200015',
    '545507520001555',
    '12ABC34501DEXX',
    '54550752000155; DROP TABLE tenants',
    '54_550_752_0001_55',
    '12ABC34501DE35\u0000',
    '５４５５０７５２０００１５５',
    '12ªBC34501DE35',
  ])('%j is refused', (input) => {
    expect(() => parseCnpj(input)).toThrow(invalid)
  })

  it('is the same however it is punctuated', () => {
    const punctuation = fc.array(fc.constantFrom('.', '-', '/', ' ', ''), { minLength: 14, maxLength: 14 })
    fc.assert(
      fc.property(punctuation, (marks) => {
        const written = [...'12abc34501de35'].map((character, at) => character + marks[at]).join('')
        expect(parseCnpj(written)).toBe('12ABC34501DE35')
      }),
    )
  })
})
