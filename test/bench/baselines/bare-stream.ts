// The limit of telling many at once on Node: holds event streams open, and writes what is posted to the socket of each as it is.
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

const sockets = new Set<Socket>()
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('retry: 1000\n\n')
    const { socket } = request
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const bytes = Buffer.concat(chunks)
    for (const socket of sockets) socket.write(bytes)
    response.writeHead(202).end()
  })
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
