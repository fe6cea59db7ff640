import { randomUUID } from 'node:crypto'
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { type ErrorCode, GanchoError } from '../errors.ts'
import { errorAnswer } from '../rest/answer.ts'

/**
 * Answers what Node could not read as a request, or not in time, in the form of every error, and ends the connection. `last` is the
 * answer to the connection's newest request: a pipelined request that is whole gets its own answer first.
 */
export function answerBrokenRequest(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  last: ServerResponse | undefined,
  log: Logger,
): void {
  const refuse = () => {
    if (socket.writableEnded) return
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy()
    else refuseConnection(socket, problemOf(error.code), log)
  }
  if (!last || last.writableFinished) refuse()
  else if (last.req.complete) last.once('close', refuse)
  // The broken request is the one that is being answered.
  else if (last.headersSent) socket.destroy()
  else refuse()
}

/** Answers a request that has no `ServerResponse` with an error, and ends its connection. */
export function refuseConnection(socket: Duplex, problem: GanchoError, log: Logger): void {
  socket.end(textOf(problem, log), () => socket.destroy())
}

function problemOf(code: string | undefined): GanchoError {
  const known: Readonly<Record<string, ErrorCode>> = {
    ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
    HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  }
  const ours = known[code ?? '']
  return ours ? new GanchoError(ours) : new GanchoError('BAD_REQUEST', 'This is not a valid HTTP request.')
}

function textOf(problem: GanchoError, log: Logger): string {
  const requestId = randomUUID()
  const { status, body } = errorAnswer(problem, requestId, log)
  const text = JSON.stringify(body)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    `x-request-id: ${requestId}`,
    'x-content-type-options: nosniff',
    'connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${text}`
}
