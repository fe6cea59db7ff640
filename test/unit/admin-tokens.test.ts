import { describe, expect, it } from 'vitest'
import { adminTokens, parseAdminTokens } from '../../src/tenants/admin-tokens.ts'

const [long, other] = ['a'.repeat(16), 'b'.repeat(512)]

describe('the list of administrators', () => {
  it('gives each a name, an access and a token, which may have colons', () => {
    expect(parseAdminTokens(`ops:full:${long}, wall-board.1:read:${long}:x`)).toEqual([
      { name: 'ops', access: 'full', token: long },
      { name: 'wall-board.1', access: 'read', token: `${long}:x` },
    ])
  })

  it.each([
    '',
    'ops',
    `ops:${long}`,
    `ops:write:${long}`,
    `:full:${long}`,
    `a b:full:${long}`,
    'ops:full:short',
    `ops:full:${other}x`,
    `ops:full:${long} ${long}`,
    `ops:full:${long},`,
    `ops:full:${long},ops:read:${other}`,
    `ops:full:${long},board:read:${long}`,
    `admin:read:${long}`,
  ])('is refused as a whole: %s', (text) => {
    expect(parseAdminTokens(text)).toBeNull()
  })
})

it('administrators are known by their whole token alone', () => {
  const find = adminTokens([
    { name: 'ops', access: 'full', token: long },
    { name: 'board', access: 'read', token: other },
  ])
  expect(find(long)).toEqual({ kind: 'admin', name: 'ops', access: 'full' })
  expect(find(other)).toEqual({ kind: 'admin', name: 'board', access: 'read' })
  for (const token of ['', `${long}a`, long.slice(1), long.toUpperCase(), 'ops'])
    expect(find(token)).toBeUndefined()
})
