type Described = Error & { code?: unknown; syscall?: unknown; reason?: unknown; errors?: unknown }

const plainWords: Record<string, string> = {
  ECONNRESET: 'the receiver reset the connection',
  EPIPE: 'the receiver closed the connection while the request was sent',
  ETIMEDOUT: 'the network gave no answer',
  UND_ERR_HEADERS_OVERFLOW: 'the response headers are too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the response body is not as long as its content-length says',
}

/** One line for operators about a failed request: the code of Node, OpenSSL or undici first, then where or why. */
export function describeError(error: Error): string {
  const { code, errors } = error as Described
  const name = typeof code === 'string' ? code : error.name
  // Several addresses of one host were tried in turn (RFC 8305).
  const parts = Array.isArray(errors) && errors.length > 0 ? errors : [error]
  const details = new Set(parts.map((part) => detail(part as Described, name)))
  return [name, [...details].filter(Boolean).join(', ') || plainWords[name]]
    .filter(Boolean)
    .join(' ')
    .slice(0, 300)
}

/** The message without what is said already: `connect ECONNREFUSED 127.0.0.1:9` becomes `127.0.0.1:9`. */
function detail(error: Described, code: string): string {
  if (code.startsWith('UND_ERR') && code in plainWords) return ''
  const text = typeof error.reason === 'string' ? error.reason : error.message
  return [`${error.syscall} `, code]
    .reduce((rest, said) => (rest.startsWith(said) ? rest.slice(said.length) : rest), text)
    .replace('Connect Timeout Error', 'connect timeout')
    .replace(/\s+/g, ' ')
    .trim()
}
