// Measures Gancho beside what people would use instead, in one run:
//   npm run bench [-- <scenario> …] [--rounds <number>] [--seconds <number>] [--beside <another checkout>] [--profile <folder>]
import { mkdir, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { startTestRedis } from '../support/redis.ts'
import { resultChart } from './harness/chart.ts'
import { describeMachine } from './harness/machine.ts'
import { machineLine, resultText } from './harness/report.ts'
import { runScenario } from './harness/run-scenario.ts'
import { scenarios } from './scenarios.ts'

async function machine() {
  const server = await startTestRedis()
  const redis = new Redis(server.url)
  const info = await redis.info('server')
  redis.disconnect()
  await server.stop()
  return describeMachine(info)
}

const { values, positionals } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    beside: { type: 'string' },
    profile: { type: 'string' },
  },
  allowPositionals: true,
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name === name))
if (unknown.length > 0 || !(rounds >= 1) || !(seconds > 0)) {
  console.error(`There is ${unknown.join(', ') || 'no such number of rounds or seconds'}; scenarios are: `)
  console.error(scenarios.map(({ name, title }) => `  ${name.padEnd(20)} ${title}`).join('\n'))
  process.exit(1)
}

const folderUrl = (path: string) => pathToFileURL(`${resolve(path)}/`)
const checkouts = [{ name: '', url: new URL('../../', import.meta.url) }]
if (values.beside) checkouts.push({ name: values.beside, url: folderUrl(values.beside) })
const profiled: Record<string, string> = {}
if (values.profile) {
  profiled.NODE_OPTIONS = `--import=${new URL('harness/profile.mjs', import.meta.url).href}`
  profiled.BENCH_PROFILES = resolve(values.profile)
}

const chosen = scenarios.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const measuredOn = await machine()
const at = new Date().toISOString()
console.log(`${machineLine(measuredOn)}\n`)
const folder = new URL('results/', import.meta.url)
await mkdir(folder, { recursive: true })
const fileOf = (name: string) => new URL(`${at.replaceAll(':', '-')}${name}`, folder)
const results = []
for (const scenario of chosen) {
  const say = (line: string) => console.error(line)
  const result = await runScenario(scenario, { rounds, seconds, say, checkouts, profiled })
  results.push(result)
  console.log(resultText(result, scenario.figures))
  const chart = fileOf(`-${scenario.name}.svg`)
  await writeFile(chart, resultChart(result, scenario.figures))
  console.log(`Chart: ${chart.pathname}\n`)
}
const file = fileOf('.json')
await writeFile(file, `${JSON.stringify({ at, machine: measuredOn, results }, null, 2)}\n`)
console.log(`All samples: ${file.pathname}`)
