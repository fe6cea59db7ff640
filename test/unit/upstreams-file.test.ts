import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../../src/config.ts'
import { readUpstreamsFile } from '../../src/sync/upstream/upstreams-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'gancho-upstreams-'))
afterAll(() => rmSync(folder, { recursive: true }))

const key = 'KEY-NOBODY-MAY-READ'
const payments = {
  name: 'payments',
  origin: 'https://api.example',
  apiKey: key,
  requestPath: '/v1/payments?wait=no',
}
const file = (content: unknown, name = 'upstreams.json') => {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const problemsOf = (content: unknown) =>
  readUpstreamsFile(file(content)).problems.map(({ at, message }) => `${at}: ${message}`)

test('what an upstream does not say has a default', () => {
  expect(readUpstreamsFile(file([payments]))).toEqual({
    problems: [],
    upstreams: [
      {
        ...payments,
        tokenPath: '/auth/token',
        idPointer: '/id',
        replyIdPointer: '/id',
        timeoutMs: 5_000,
        deliverReplies: true,
        callbackHeader: 'X-Callback-Url',
      },
    ],
  })
})

test('everything can be said', () => {
  const said = {
    ...payments,
    origin: 'http://10.0.0.7:8080/',
    tokenPath: null,
    idPointer: '/data/id',
    replyIdPointer: '/payment~1id',
    errorPointer: '/error',
    timeoutMs: 30_000,
    deliverReplies: false,
    callbackHeader: null,
    tenants: ['11.222.333/0001-81'],
  }
  expect(readUpstreamsFile(file([said])).upstreams).toEqual([
    { ...said, origin: 'http://10.0.0.7:8080', tenants: ['11222333000181'] },
  ])
})

test('a webhook has the id where the answer has it, unless another place is named', () => {
  const [upstream] = readUpstreamsFile(file([{ ...payments, idPointer: '/data/id' }])).upstreams
  expect(upstream?.replyIdPointer).toBe('/data/id')
})

test('an API key is read from a file beside it, without the line end', () => {
  file(`${key}\n`, 'payments.key')
  const [upstream] = readUpstreamsFile(
    file([{ ...payments, apiKey: undefined, apiKeyFile: 'payments.key' }]),
  ).upstreams
  expect(upstream?.apiKey).toBe(key)
})

describe('a file', () => {
  test.each([
    ['with another origin', { origin: `http://user:${key}@host` }, 'payments.origin: expected an origin'],
    ['with a path in the origin', { origin: 'http://host/v1' }, 'payments.origin: expected an origin'],
    ['with another scheme', { origin: 'ftp://host' }, 'payments.origin: expected http://… or https://…'],
    ['without an origin', { origin: undefined }, 'payments.origin: is missing'],
    ['with a blank in the key', { apiKey: `${key} ` }, 'payments.apiKey: expected up to 4,096 printable'],
    ['with a bad pointer', { idPointer: 'id' }, 'payments.idPointer: expected a JSON pointer'],
    ['with a relative path', { requestPath: 'v1' }, 'payments.requestPath: expected a path'],
    ['with a long wait', { timeoutMs: 1e9 }, 'payments.timeoutMs: expected whole milliseconds from 1 to'],
    ['with a header of the call', { callbackHeader: 'Host' }, 'payments.callbackHeader: this header has'],
    ['with a bad tenant', { tenants: ['1'] }, 'payments.tenants.0: expected a valid CNPJ'],
    ['with no tenant', { tenants: [] }, 'payments.tenants: expected at least one CNPJ'],
    ['with a field that is none', { timeout: 1 }, 'payments: there is no timeout'],
    ['with a bad name', { name: 'a b' }, '[0].name: expected up to 64 letters'],
    ['with two keys', { apiKeyFile: 'k' }, 'payments: expected apiKey or apiKeyFile, one of them'],
    ['without a key', { apiKey: undefined }, 'payments: expected apiKey or apiKeyFile, one of them'],
    [
      'with a key file that is missing',
      { apiKey: undefined, apiKeyFile: 'none' },
      'payments.apiKeyFile: cannot be read, or holds no API key',
    ],
  ])('%s is refused', (_what, changed, problem) => {
    expect(problemsOf([{ ...payments, ...changed }])).toEqual([expect.stringContaining(problem)])
  })

  test.each([
    ['a text that is not JSON', `[{"apiKey":"${key}"`, ': is not JSON'],
    ['an object', {}, ': expected a list of upstreams'],
    ['a list of texts', ['a'], '[0]: '],
    ['the same name twice', [payments, payments], 'payments: this name is given twice'],
    [
      'more than 20',
      Array.from({ length: 21 }, (_, i) => ({ ...payments, name: `p${i}` })),
      ': expected at most 20 upstreams',
    ],
  ])('with %s is refused', (_what, content, problem) => {
    expect(problemsOf(content)).toEqual([expect.stringContaining(problem)])
  })

  test('tells all its problems at once, and no value of it', () => {
    const second = { ...payments, origin: `x${key}`, apiKey: undefined, timeoutMs: 0, extra: key }
    const problems = problemsOf([
      { ...payments, idPointer: key },
      second,
      { ...payments, name: key.repeat(9) },
    ])
    expect(problems.toSorted()).toEqual([
      expect.stringMatching(/^\[2\]\.name: /),
      expect.stringMatching(/^payments\.idPointer: /),
      expect.stringMatching(/^payments\.origin: /),
      expect.stringMatching(/^payments\.timeoutMs: /),
      expect.stringMatching(/^payments: expected apiKey/),
      expect.stringMatching(/^payments: there is no extra/),
      expect.stringMatching(/^payments: this name is given twice/),
    ])
    expect(problems.join()).not.toContain(key)
  })
})

describe('the environment', () => {
  const environmentProblems = (env: Record<string, string>) => {
    try {
      readConfig(env)
    } catch (error) {
      if (error instanceof ConfigError) return error.problems
      throw error
    }
    return []
  }

  test('gives the default upstream its paths and 5 seconds', () => {
    expect(readConfig({ DOMAIN: 'https://api.example/', APIKEY: key })).toMatchObject({
      DOMAIN: 'https://api.example',
      TIMEOUT: 5_000,
      UPSTREAM_TOKEN_PATH: '/auth/token',
      UPSTREAM_REQUEST_PATH: '/qrcodes',
      UPSTREAM_ID_POINTER: '/id',
      UPSTREAMS_FILE: [],
    })
  })

  test('can do without the exchange of the key', () => {
    expect(readConfig({ UPSTREAM_TOKEN_PATH: 'none' }).UPSTREAM_TOKEN_PATH).toBeNull()
    expect(environmentProblems({ UPSTREAM_TOKEN_PATH: 'null' })).toEqual([
      'UPSTREAM_TOKEN_PATH: expected a path that starts with /, or none, got "null"',
    ])
  })

  test('names each problem of the file, beside its own', () => {
    const env = { PORT: 'x', UPSTREAMS_FILE: file([{ ...payments, origin: 'x', idPointer: 'y' }]) }
    expect(environmentProblems(env)).toEqual([
      'PORT: expected a whole number from 0 to 65,535, got "x"',
      'UPSTREAMS_FILE: payments.origin: expected http://… or https://…',
      'UPSTREAMS_FILE: payments.idPointer: expected a JSON pointer (RFC 6901), such as /data/id',
    ])
  })

  test('says so when there is no file', () => {
    expect(environmentProblems({ UPSTREAMS_FILE: join(folder, 'nowhere.json') })).toEqual([
      'UPSTREAMS_FILE: cannot be read',
    ])
  })

  test('has no second default upstream, and no more than twenty', () => {
    const domain = { DOMAIN: 'https://api.example', APIKEY: key }
    const named = file([{ ...payments, name: 'default' }])
    expect(environmentProblems({ UPSTREAMS_FILE: named })).toEqual([])
    expect(environmentProblems({ ...domain, UPSTREAMS_FILE: named })).toEqual([
      'UPSTREAMS_FILE: has an upstream named default, which DOMAIN is already',
    ])
    const twenty = file(Array.from({ length: 20 }, (_, i) => ({ ...payments, name: `p${i}` })))
    expect(environmentProblems({ UPSTREAMS_FILE: twenty })).toEqual([])
    expect(environmentProblems({ ...domain, UPSTREAMS_FILE: twenty })).toEqual([
      'UPSTREAMS_FILE: has 20 upstreams, and DOMAIN is one more than there may be',
    ])
  })

  test('shows no key and no password', () => {
    const problems = environmentProblems({ DOMAIN: `http://user:${key}@host`, APIKEY: `${key} ${key}` })
    expect(problems).toHaveLength(2)
    expect(problems.join()).not.toContain(key)
    expect(environmentProblems({ DOMAIN: 'https://api.example' })).toEqual([
      'APIKEY: required as soon as DOMAIN is set',
    ])
  })
})
