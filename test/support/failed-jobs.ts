import { pino } from 'pino'
import { createRouter } from '../../src/http/router.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { failedJobsRoute } from '../../src/rest/failed-jobs.ts'
import { authenticator } from '../../src/tenants/principal.ts'
import { clientOf } from './client.ts'
import { adminToken } from './gancho.ts'
import { jobSteps } from './job-steps.ts'
import { openTestServices } from './services.ts'
import { alphanumericCnpj, numericCnpj } from './tenants.ts'

/** `POST /nifi/falha/:queue` over a real HTTP server, two tenants, and the means to bring jobs into the states it is about. */
export async function openFailedJobs(options: Parameters<typeof openTestServices>[0] = {}) {
  const log = pino({ level: 'silent' })
  const services = await openTestServices(options)
  const authenticate = authenticator({
    admins: [{ name: 'admin', access: 'full', token: adminToken }],
    directory: services.directory,
  })
  const parts = { open: [], elsewhere: [], authenticate, maxBodyBytes: 100_000, log }
  const handle = createRouter({ ...parts, routes: [failedJobsRoute(services)] })
  const server = createHttpServer({ webhook: undefined, handle, requestTimeoutMs: 10_000, log })
  const origin = `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}`
  const tokenOf = async (cnpj: string) => (await services.tenants.createTenant({ cnpj, name: 'Test' })).token
  const clients = {
    admin: clientOf({ origin }),
    bakery: clientOf({ origin }, await tokenOf(numericCnpj)),
    other: clientOf({ origin }, await tokenOf(alphanumericCnpj)),
    stranger: clientOf({ origin }, 'gct_nobody'),
  }
  type Who = keyof typeof clients
  return {
    ...{ services, log, steps: jobSteps(services) },
    /** A job of the bakery unless another tenant is given. */
    async accept(cnpj = numericCnpj): Promise<number> {
      const event = { cnpj, eventType: null, correlationId: null, contentType: null, headers: {} }
      const { ns } = await services.intake.accept({ ...event, body: Buffer.from('x'), idempotencyKey: null })
      return ns[0] ?? 0
    },
    async post(body?: unknown, who: Who = 'bakery', queue = 'nifi') {
      const answer = await clients[who].call('POST', `/nifi/falha/${queue}`, body)
      return { status: answer.status, body: answer.body }
    },
    job: (n: number) => services.jobs.job(n),
    async close() {
      await server.close(1_000)
      await services.close()
    },
  }
}

export type FailedJobs = Awaited<ReturnType<typeof openFailedJobs>>
