// Loaded in front of a process by `--import`: writes a CPU profile of all its life, one for each of its threads, to the folder
// BENCH_PROFILES when it ends.
// Node takes `--cpu-prof` from the command line only.
import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { threadId } from 'node:worker_threads'

const folder = process.env.BENCH_PROFILES ?? '.'
const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.setSamplingInterval', { interval: 250 })
session.post('Profiler.start')
process.on('exit', () => {
  session.post('Profiler.stop', (error, answer) => {
    if (error) throw error
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${folder}/gancho-${process.pid}-${threadId}.cpuprofile`, JSON.stringify(answer.profile))
  })
})
