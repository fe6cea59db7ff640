// The receiver that `npm start` brings along, as a process of its own: --port, and --host for others than this machine.
import { parseArgs } from 'node:util'
import { startSampleReceiver } from '../src/welcome/sample-receiver.ts'

const { values } = parseArgs({
  options: { host: { type: 'string', default: '127.0.0.1' }, port: { type: 'string', default: '8081' } },
})
const receiver = await startSampleReceiver({ host: values.host, port: Number(values.port), log: console })
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void receiver.close())
console.log(`Sample receiver takes events at ${receiver.url}`)
