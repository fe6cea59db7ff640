import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findAccess } from '../../src/cli/access.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
  writeFileSync(join(folder.path, 'secrets.json'), '{"adminToken":"gadm_made"}')
})
afterEach(() => folder.remove())

test('in development the token is found where npm start made it, and the address where it listens', () => {
  expect(findAccess({}, { DATA_DIR: folder.path, PORT: '4001' })).toEqual({
    url: 'http://127.0.0.1:4001',
    token: 'gadm_made',
    ofDevelopment: true,
  })
})

test('what is typed counts more than GANCHO_URL and GANCHO_TOKEN, and these more than what is found', () => {
  const env = {
    DATA_DIR: folder.path,
    ADMIN_TOKEN: 'a',
    GANCHO_TOKEN: 'b',
    GANCHO_URL: 'http://127.0.0.1:1/base/',
  }
  const asTyped = findAccess({ url: 'http://localhost:2', token: 'c' }, env)
  expect([asTyped.url, asTyped.token]).toEqual(['http://localhost:2', 'c'])
  expect([findAccess({}, env).url, findAccess({}, env).token]).toEqual(['http://127.0.0.1:1/base', 'b'])
  expect(findAccess({}, { ...env, GANCHO_TOKEN: '' }).token).toBe('a')
})

test.each([
  ['http://127.8.9.1:4000', 'gadm_made'],
  ['http://localhost:4000', 'gadm_made'],
  ['http://[::1]:4000', 'gadm_made'],
  ['http://10.0.0.1:4000', undefined],
  ['http://localhost.example.com:4000', undefined],
  ['https://127.0.0.1.example.com', undefined],
])('a token found on this machine is shown to this machine alone: %s', (url, token) => {
  expect(findAccess({ url }, { DATA_DIR: folder.path }).token).toBe(token)
  expect(findAccess({ url }, { DATA_DIR: folder.path, ADMIN_TOKEN: 'a' }).token).toBe(token && 'a')
})

test('without a token anywhere there is none', () => {
  expect(findAccess({}, { DATA_DIR: join(folder.path, 'empty') })).toMatchObject({
    token: undefined,
    ofDevelopment: false,
  })
})
