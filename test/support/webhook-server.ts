import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import type { Intake } from '../../src/events/intake.ts'
import { webhookHandler } from '../../src/rest/webhook.ts'
import type { Principal } from '../../src/tenants/principal.ts'

type Options = { intake: Intake; principal: () => Principal; maxBodyBytes: number; log: Logger }

/** `POST /webhook` alone, on a free port, for whom `principal` says asks. */
export async function startWebhookServer({ principal, ...deps }: Options) {
  const server = createServer(webhookHandler({ ...deps, authenticate: principal }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    async post(body: string, headers: Record<string, string> = {}) {
      const response = await fetch(`${origin}/webhook`, { method: 'POST', body, headers })
      const answer = (await response.json()) as { ids?: string[]; error?: Record<string, unknown> }
      return { status: response.status, headers: response.headers, ...answer }
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
