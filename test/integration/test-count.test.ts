import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../script/count-tests.mjs', import.meta.url))
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gancho-count-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function count(report: unknown) {
  const path = join(dir, 'report.json')
  writeFileSync(path, JSON.stringify(report))
  return spawnSync(process.execPath, [script, path], { encoding: 'utf8' })
}

it.each([
  ['only passed tests', { numPassedTests: 3, numFailedTests: 0, testResults: [] }, '3 passed, 0 failed\n', 0],
  ['a failed test', { numPassedTests: 2, numFailedTests: 1, testResults: [] }, '2 passed, 1 failed\n', 1],
  [
    'a file that does not load',
    { numPassedTests: 2, numFailedTests: 0, testResults: [{ status: 'failed', assertionResults: [] }] },
    '2 passed, 1 failed\n',
    1,
  ],
  ['no tests at all', { numPassedTests: 0, numFailedTests: 0, testResults: [] }, '0 passed, 0 failed\n', 1],
  ['a report that is none', 'nothing', '0 passed, 1 failed\n', 1],
])('counts %s', (_, report, output, status) => {
  expect(count(report)).toMatchObject({ stdout: output, status })
})
