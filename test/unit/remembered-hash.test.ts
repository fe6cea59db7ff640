import { expect, it } from 'vitest'
import { rememberedHash } from '../../src/tenants/remembered-hash.ts'

/** Counts how often the hash below it is asked. */
function counted() {
  const asked: string[] = []
  const hashOf = rememberedHash((token) => {
    asked.push(token)
    return `hash of ${token}`
  })
  return { hashOf, asked }
}

it('gives each token its own hash, made once', () => {
  const { hashOf, asked } = counted()
  const tokens = ['one', 'two', 'one', 'two', 'one']
  expect(tokens.map(hashOf)).toEqual(tokens.map((token) => `hash of ${token}`))
  expect(asked).toEqual(['one', 'two'])
})

it('stays bounded under a flood of tokens, and keeps one that is used meanwhile', () => {
  const { hashOf, asked } = counted()
  hashOf('never again')
  for (let i = 0; i < 20_000; i++) {
    hashOf(`stranger ${i}`)
    hashOf('known')
  }
  expect(asked.filter((token) => token === 'known')).toHaveLength(1)
  hashOf('never again')
  expect(asked.filter((token) => token === 'never again')).toHaveLength(2)
})
