// Reads a vitest JSON report (argument 1) and prints "N passed, N failed" alone on a line.
import { readFileSync } from 'node:fs'

/** A file that could not even be loaded has no tests to count, and is one failure. */
function count(report) {
  const unloaded = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  )
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length }
}

function read(path) {
  try {
    return count(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    console.error('The test run ended without a report, which counts as one failure.')
    return { passed: 0, failed: 1 }
  }
}

const { passed, failed } = read(process.argv[2])
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
