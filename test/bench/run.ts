// Measures Gancho beside what people would use instead, in one run:
//   npm run bench [-- <scenario> …] [--rounds <number>]
import { mkdir, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { startTestRedis } from '../support/redis.ts'
import { describeMachine } from './harness/machine.ts'
import { machineLine, resultText } from './harness/report.ts'
import { runScenario } from './harness/run-scenario.ts'
import { awaitedReply } from './scenarios/awaited-reply.ts'

const all = [awaitedReply]

async function machine() {
  const server = await startTestRedis()
  const redis = new Redis(server.url)
  const info = await redis.info('server')
  redis.disconnect()
  await server.stop()
  return describeMachine(info)
}

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '5' } },
  allowPositionals: true,
})
const rounds = Number(values.rounds)
const unknown = positionals.filter((name) => !all.some((scenario) => scenario.name === name))
if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  console.error(`There is ${unknown.join(', ') || `no number of rounds ${values.rounds}`}; scenarios are: `)
  console.error(all.map(({ name, title }) => `  ${name.padEnd(20)} ${title}`).join('\n'))
  process.exit(1)
}

const chosen = all.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const measuredOn = await machine()
const at = new Date().toISOString()
console.log(`${machineLine(measuredOn)}\n`)
const results = []
for (const scenario of chosen) {
  const result = await runScenario(scenario, { rounds, say: (line) => console.error(line) })
  results.push(result)
  console.log(resultText(result, scenario.figures))
}
const folder = new URL('results/', import.meta.url)
await mkdir(folder, { recursive: true })
const file = new URL(`${at.replaceAll(':', '-')}.json`, folder)
await writeFile(file, `${JSON.stringify({ at, machine: measuredOn, results }, null, 2)}\n`)
console.log(`All samples: ${file.pathname}`)
