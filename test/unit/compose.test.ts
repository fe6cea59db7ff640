import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

type Service = {
  image: string
  profiles: string[]
  environment: Record<string, string>
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
  command?: string
  ports?: unknown
}

const rootFile = (path: string) => new URL(`../../${path}`, import.meta.url)
const textOf = (path: string) => readFileSync(rootFile(path), 'utf8')
const { services } = parse(textOf('compose.yaml')) as { services: Record<string, Service> }
const service = (name: string) => services[name] as Service
const testFile = 'test/contract/oracle-stores.test.ts'

/** https://github.com/gvenzl/oci-oracle-free#environment-variables */
const ofImage = [
  'APP_USER',
  'APP_USER_PASSWORD',
  'ORACLE_DATABASE',
  'ORACLE_PASSWORD',
  'ORACLE_RANDOM_PASSWORD',
]

test('the services are those of the profile test, and reachable from no other machine', () => {
  expect(Object.keys(services)).toEqual(['oracle', 'oracle-test'])
  for (const { profiles, ports } of Object.values(services))
    expect([profiles, ports]).toEqual([['test'], undefined])
})

test('the contract tests get every variable that they read, and no other', () => {
  const read = new Set(textOf(testFile).match(/\bORACLE_TEST_[A-Z]+\b/g))
  expect(Object.keys(service('oracle-test').environment).toSorted()).toEqual([...read].toSorted())
  expect(read.size).toBe(3)
})

test('they log on with the account that the database makes, once it is there', () => {
  const { environment, depends_on: dependsOn } = service('oracle-test')
  const { environment: database, healthcheck } = service('oracle')
  expect(environment.ORACLE_TEST_USER).toBe(database.APP_USER)
  expect(environment.ORACLE_TEST_PASS).toBe(database.APP_USER_PASSWORD)
  expect(ofImage).toEqual(expect.arrayContaining(Object.keys(database)))
  expect(environment.ORACLE_TEST_CONNECT).toBe('oracle:1521/FREEPDB1')
  expect(dependsOn).toEqual({ oracle: { condition: 'service_healthy' } })
  expect(healthcheck?.test[0]).toBe('CMD-SHELL')
  // A single dollar would be a variable of Compose.
  expect(healthcheck?.test[1]).toMatch(/^healthcheck\.sh && .+ "\$\$APP_USER\/\$\$APP_USER_PASSWORD@/)
})

test('they run as anybody runs them, from a fresh install', () => {
  expect(service('oracle-test').command).toBe(`sh -c "npm ci && npm test -- ${testFile}"`)
  expect(existsSync(rootFile(testFile))).toBe(true)
  expect(textOf('docs/oracle.md')).toContain('docker compose --profile test up')
})
