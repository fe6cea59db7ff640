import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { GanchoError } from '../errors.ts'
import type { OpenRoute } from './router.ts'

type Deps = {
  /** Has to be bounded in time. */
  scrape: () => Promise<{ contentType: string; text: string }>
  /** What a request has to show as its Bearer token; open to everybody without one. */
  token: string | undefined
}

const digestOf = (text: string) => hash('sha256', text, 'buffer')

/** `GET /metrics`. @throws (by its answer) GanchoError UNAUTHENTICATED */
export function metricsRoute({ scrape, token }: Deps): OpenRoute {
  const expected = token === undefined ? undefined : digestOf(token)
  const mayRead = ({ headers }: IncomingMessage) => {
    if (!expected) return true
    const given = /^Bearer +([!-~]{1,512}) *$/i.exec(headers.authorization ?? '')?.[1] ?? ''
    return timingSafeEqual(digestOf(given), expected)
  }
  return {
    path: '/metrics',
    async handle(request) {
      if (!mayRead(request)) throw new GanchoError('UNAUTHENTICATED')
      const { contentType, text } = await scrape()
      return { status: 200, headers: { 'content-type': contentType }, body: Buffer.from(text) }
    },
  }
}
