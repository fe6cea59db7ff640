import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'

let fleet: Fleet
const waiting: ServerResponse[] = []

beforeAll(async () => {
  fleet = await openFleet({
    answer: (response, { headers }) => {
      if (headers['x-gancho-attempt'] === '1') waiting.push(response)
      else response.end()
    },
  })
})
afterAll(() => fleet.close())

test('what a tenant sent before it was deleted is delivered and retried on, and its token ends', async () => {
  const { admin, tenant } = await clientsOf(await fleet.start('all'))
  const id = await tenant.postJob({ sent: 'before' })
  const attempt = await until(() => waiting[0], { what: 'first attempt' })
  const { clientes } = (await admin.call('GET', '/admin/clientes')).body as { clientes: { cnpj: string }[] }
  const cnpj = clientes[0]?.cnpj
  expect((await admin.call('DELETE', `/admin/clientes/${cnpj}`)).status).toBe(204)
  expect((await tenant.postPatiently({ sent: 'after' })).status).toBe(401)
  attempt.writeHead(500).end()
  await untilStatus(admin, id, 'DELIVERED')
  const { job } = await admin.graphql<{ job: object }>(
    `query ($id: ID!) { job(id: $id) { attemptCount tenant { cnpj name active } } }`,
    { id },
  )
  expect(job).toEqual({ attemptCount: 2, tenant: { cnpj, name: '', active: false } })
})
