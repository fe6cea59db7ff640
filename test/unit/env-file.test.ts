import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EnvFileError, readEnvFile, withEnvironment } from '../../src/env-file.ts'

let folder: string
let path: string
const home = process.cwd()
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gancho-env-'))
  path = join(folder, '.env')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (text: string, mode = 0o600) => {
  writeFileSync(path, text)
  chmodSync(path, mode)
}
const read = (known = ['PORT', 'ADMIN_TOKEN', 'LOG_LEVEL', 'DATA_DIR']) => readEnvFile({ named: path, known })
const problems = (text: string): readonly string[] => {
  write(text)
  try {
    read()
  } catch (error) {
    if (error instanceof EnvFileError) return error.problems.map((problem) => problem.replace(path, '.env'))
    throw error
  }
  return []
}

describe('an environment file', () => {
  test('gives values with and without quotes, exported or not, and leaves comments out', () => {
    write(
      '# Where\r\n\nPORT=4001 # the second\nexport LOG_LEVEL=\'debug\'\nADMIN_TOKEN="a#b c"  # quoted\nDATA_DIR=\n',
    )
    expect(read()).toEqual({
      values: { PORT: '4001', LOG_LEVEL: 'debug', ADMIN_TOKEN: 'a#b c', DATA_DIR: '' },
      warnings: [],
    })
  })

  test('is found as .env in the current folder alone, and need not be there', () => {
    process.chdir(folder)
    try {
      expect(readEnvFile({ named: undefined, known: [] }).values).toEqual({})
      write('PORT=1')
      expect(readEnvFile({ named: undefined, known: ['PORT'] }).values).toEqual({ PORT: '1' })
    } finally {
      process.chdir(home)
    }
  })

  test('has to be there when it is named', () => {
    expect(() => read()).toThrow(EnvFileError)
    expect(() => read()).toThrow(/\.env: cannot be read \(ENOENT/)
  })

  test('never counts against the environment, not even against an empty value there', () => {
    const file = { values: { PORT: '1', LOG_LEVEL: 'debug', DATA_DIR: '/a' }, warnings: [] }
    expect(withEnvironment(file, { PORT: '2', DATA_DIR: '' })).toEqual({
      PORT: '2',
      LOG_LEVEL: 'debug',
      DATA_DIR: '',
    })
  })
})

describe('a line that cannot be meant', () => {
  test.each([
    ['no assignment', 'PORT 4000', 'expected NAME=value, a comment after # or nothing'],
    ['a name that is none', '4PORT=1', 'expected NAME=value, a comment after # or nothing'],
    [
      'a value that a comment would cut',
      'ADMIN_TOKEN=abc#def',
      'a value with # in it needs quotes; without, the rest would be a comment',
    ],
    [
      'an open quote',
      'ADMIN_TOKEN="abc',
      'the value begins with " and does not end with it on the same line',
    ],
    ['text after the quote', "ADMIN_TOKEN='abc'def", "nothing but a comment may follow the closing '"],
  ])('is told with its number and without its value: %s', (_what, line, problem) => {
    expect(problems(`# first\nPORT=1\n${line}\n`)).toEqual([`.env, line 3: ${problem}`])
  })

  test('is told together with every other, names set twice among them', () => {
    expect(problems('nothing\nPORT=1\nPORT=2\n=\n')).toEqual([
      '.env, line 1: expected NAME=value, a comment after # or nothing',
      '.env, line 4: expected NAME=value, a comment after # or nothing',
      '.env, line 3: PORT is set in line 2 already',
    ])
  })

  test('is not one with # in its comment', () => {
    expect(problems('PORT=1 # one#two\nDATA_DIR=#none\n')).toEqual([])
  })
})

describe('a warning', () => {
  test('tells of names that Gancho does not know, with their lines', () => {
    write('PORT=1\nREDIS_URI=redis://a\nGANCHO_URL=http://a\nOTEL_TRACES_SAMPLER=always_on\n')
    expect(read().warnings).toEqual([`${path}, line 2: Gancho has no variable REDIS_URI`])
  })

  test.skipIf(process.platform === 'win32')('tells of secrets that everybody may read', () => {
    write('ADMIN_TOKEN=0123456789abcdef\nPORT=1\n', 0o644)
    expect(read().warnings).toEqual([
      `${path} holds ADMIN_TOKEN and everybody on this machine may read it: chmod 600 ${path}`,
    ])
    write('REDIS_URL=redis://:secret@redis:6379\n', 0o604)
    expect(read(['REDIS_URL']).warnings).toEqual([expect.stringContaining('holds REDIS_URL and everybody')])
    write('ADMIN_TOKEN=0123456789abcdef\n', 0o640)
    expect(read().warnings).toEqual([])
    write('ADMIN_TOKEN=\nPORT=1\n', 0o644)
    expect(read().warnings).toEqual([])
  })
})
