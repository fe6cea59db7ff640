// Writes schema.graphql from the code; with --check, fails when it is not what the code makes.
import { readFileSync, writeFileSync } from 'node:fs'
import { printedSchema } from '../src/graphql/schema.ts'

const path = new URL('../schema.graphql', import.meta.url)
const printed = printedSchema()

function committed(): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

if (!process.argv.includes('--check')) {
  writeFileSync(path, printed)
} else if (committed() !== printed) {
  console.error(
    'schema.graphql is not what the code makes: run "node script/run.mjs script/print-schema.ts".',
  )
  process.exitCode = 1
}
