// A destination that takes everything at once and counts it.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serveBench } from '../harness/parent.ts'

let received = 0
const server = createServer((request, response) => {
  request.resume().once('end', () => {
    received += 1
    response.end('ok')
  })
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

serveBench({
  url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
  received: () => received,
})
