import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { developmentSecrets } from '../../src/welcome/development-secrets.ts'

let parent: string
let dataDir: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'gancho-secrets-'))
  dataDir = join(parent, 'data')
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

it('makes secrets of 256 random bits that nobody else may read', () => {
  const { adminToken, encryptionSecret } = developmentSecrets(dataDir)
  expect(adminToken).toMatch(/^gadm_[\w-]{43}$/)
  expect(encryptionSecret).toMatch(/^[\w-]{43}$/)
  expect(adminToken).not.toContain(encryptionSecret)
  expect(statSync(dataDir).mode & 0o777).toBe(0o700)
  expect(statSync(join(dataDir, 'secrets.json')).mode & 0o777).toBe(0o600)
})

it('gives the same secrets at the next start, and others to another directory', () => {
  const first = developmentSecrets(dataDir)
  expect(developmentSecrets(dataDir)).toEqual(first)
  expect(developmentSecrets(join(parent, 'other'))).not.toEqual(first)
})

it('refuses damaged secrets instead of making new ones', () => {
  developmentSecrets(dataDir)
  writeFileSync(join(dataDir, 'secrets.json'), '{"adminToken":')
  expect(() => developmentSecrets(dataDir)).toThrow(/secrets\.json is damaged/)
})
