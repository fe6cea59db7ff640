import { expect, test } from 'vitest'
import { capabilities } from '../../src/sync/capability.ts'

const awaitId = 'aw_0123456789abcdefABCDEF'
const capability = { awaitId, cnpj: '11222333000181', upstream: 'payments', expiresAt: 1_780_000_000_000 }
const at = (ms: number) => () => ms
const before = at(capability.expiresAt - 1)
const sealing = capabilities(['newest secret', 'older secret'], before)

test('what was sealed is opened, by this instance and any other with the same secret', () => {
  const text = sealing.seal(capability)
  expect(sealing.open(text)).toEqual(capability)
  expect(capabilities(['newest secret'], before).open(text)).toEqual(capability)
})

test('it is part of a URL as it is, whatever the upstream is called', () => {
  const text = sealing.seal({ ...capability, upstream: `${'x'.repeat(60)}_-Zz` })
  expect(text).toMatch(/^[\w.-]+$/)
  expect(text.length).toBeLessThanOrEqual(200)
  expect(sealing.open(text)?.upstream).toBe(`${'x'.repeat(60)}_-Zz`)
})

test('what an older secret has sealed is opened, and nothing that another one has', () => {
  expect(sealing.open(capabilities(['older secret'], before).seal(capability))).toEqual(capability)
  expect(sealing.open(capabilities(['another secret'], before).seal(capability))).toBeUndefined()
})

test('it is honoured until it expires, to the second', () => {
  const text = sealing.seal(capability)
  const open = (ms: number) => capabilities(['newest secret'], at(ms)).open(text)
  expect(open(capability.expiresAt)).toEqual(capability)
  expect(open(capability.expiresAt + 1)).toBeUndefined()
})

test('by whoever sealed it, too, and nothing that only looks like it', () => {
  const sealedUntil = { ...capability, expiresAt: capability.expiresAt - 1 }
  let now = capability.expiresAt
  const own = capabilities(['newest secret'], () => now)
  const text = own.seal(sealedUntil)
  expect(own.open(text)).toEqual(capability)
  const forged = capabilities(['another secret'], before).seal(capability)
  expect([forged.slice(0, 25), forged.length]).toEqual([text.slice(0, 25), text.length])
  expect(own.open(forged)).toBeUndefined()
  expect(own.open(text.slice(0, -1))).toBeUndefined()
  now += 1
  expect(own.open(text)).toBeUndefined()
})

test('however many were sealed since', () => {
  const texts = Array.from({ length: 10_001 }, (_, i) =>
    sealing.seal({ ...capability, awaitId: `aw_${String(i).padStart(22, '0')}` }),
  )
  for (const i of [0, 1, 10_000])
    expect(sealing.open(texts[i] ?? '')?.awaitId).toBe(`aw_${String(i).padStart(22, '0')}`)
})

test('no character can be changed, left out or added', () => {
  const text = sealing.seal(capability)
  for (let i = 0; i < text.length; i += 1) {
    const other = text[i] === 'A' ? 'B' : 'A'
    const changed = [
      text.slice(0, i) + other + text.slice(i + 1),
      text.slice(0, i) + text.slice(i + 1),
      `${text.slice(0, i)}A${text.slice(i)}`,
    ]
    // The last character of base64url has bits that no byte needs: the same bytes, so the same MAC.
    if (i === text.length - 1) changed.shift()
    for (const one of changed) expect(sealing.open(one), `changed at ${i}`).toBeUndefined()
  }
})

test.each(['', '.', '....', 'aw_', `${awaitId}.11222333000181.zz.eA.`])(
  'what has another form is refused: %j',
  (text) => {
    expect(sealing.open(text)).toBeUndefined()
    expect(sealing.open(`${text}${'x'.repeat(10_000)}`)).toBeUndefined()
  },
)
