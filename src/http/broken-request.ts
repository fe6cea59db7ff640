import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { type ErrorCode, GanchoError } from '../errors.ts'
import { errorAnswer } from '../rest/answer.ts'

/** Of Node's error codes, those that are not simply a request that breaks the protocol. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
}

/**
 * Answers what Node could not read as a request, or not in time, in the form of every error, and ends the connection. Says nothing
 * to a sender that is gone, or in the middle of another answer (`isAnswering`).
 */
export function answerBrokenRequest(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  isAnswering: boolean,
  log: Logger,
): void {
  if (!socket.writable || isAnswering || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const problem =
    codes[error.code ?? ''] === undefined
      ? new GanchoError('BAD_REQUEST', 'This is not a valid HTTP request.')
      : new GanchoError(codes[error.code ?? ''] as ErrorCode)
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
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy())
}
