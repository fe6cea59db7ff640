// Loaded in front of a process by `--import`: writes a CPU profile of all its life to the folder BENCH_PROFILES when it ends.
// Node takes `--cpu-prof` from the command line only.
import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

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
    writeFileSync(`${folder}/gancho-${process.pid}.cpuprofile`, JSON.stringify(answer.profile))
  })
})
