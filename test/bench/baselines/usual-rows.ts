import { randomUUID } from 'node:crypto'
import { openSqliteStores } from '../../../src/storage/open-stores.ts'

export type Delivered = {
  n: number
  cnpj: string
  headers: Record<string, string>
  body: unknown
  /** Epoch milliseconds of its arrival. */
  at: number
  status: number
}

/** The rows that Gancho's history has of a delivered job, in the same tables: one transaction a job. */
export async function openRows(path: string) {
  const { history } = await openSqliteStores({ path })
  return {
    async write({ n, cnpj, headers, body, at, status }: Delivered): Promise<void> {
      const now = Date.now()
      const job = {
        ...{
          n,
          cnpj,
          headers,
          eventId: randomUUID(),
          destination: 'default',
          queue: 'usual',
          round: 0,
          attempts: 1,
        },
        ...{
          eventType: null,
          correlationId: null,
          contentType: 'application/json',
          status: 'DELIVERED' as const,
        },
        ...{ receivedAt: at, updatedAt: now, deliveredAt: now, nextAttemptAt: null, requeuedAt: null },
        ...{ failure: null, reported: null, journalId: `${now}-${n}` },
      }
      const attempt = {
        ...{
          number: 1,
          round: 0,
          startedAt: at,
          outcome: 'DELIVERED' as const,
          statusCode: status,
          error: null,
        },
        ...{ requestHeaders: headers, responseHeaders: {}, responseBody: 'ok' },
        timing: {
          ...{ dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: now - at, totalMs: now - at },
          socketReused: true,
        },
      }
      const snapshot = { job, body: Buffer.from(JSON.stringify(body)), attempts: [attempt], rounds: [] }
      await history.record([snapshot], { epoch: 'usual', journalId: job.journalId })
    },
  }
}
