import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { forgetJobs } from '../../src/history/forget-jobs.ts'
import { runMaintenance } from '../../src/history/maintenance.ts'
import { graphql } from '../gql/gql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, numericCnpj, unusedCnpj } from '../support/tenants.ts'

const Create = graphql(`
  mutation CreateTenant($input: CreateTenantInput!) {
    createTenant(input: $input) { token encryptedToken tenant { id cnpj name active createdAt updatedAt } }
  }
`)
const SetActive = graphql(`
  mutation SetActive($cnpj: CNPJ!, $active: Boolean!) { setTenantActive(cnpj: $cnpj, active: $active) { active } }
`)
const Delete = graphql(`mutation DeleteTenant($cnpj: CNPJ!) { deleteTenant(cnpj: $cnpj) }`)
const Invalidate = graphql(`mutation Invalidate($cnpj: CNPJ) { invalidateTenantCache(cnpj: $cnpj) }`)
const ShowTenant = graphql(`query ShowTenant($cnpj: CNPJ!) { tenant(cnpj: $cnpj) { cnpj name active } }`)
const TenantOfJob = graphql(`
  query TenantOfJob($id: ID!) { job(id: $id) { status tenant { id cnpj name active createdAt updatedAt } } }
`)
const Queues = graphql(`
  query Queues($name: String!) {
    queue(name: $name) { name }
    queues { name waiting active delayed failed paused }
  }
`)
const Maintenance = graphql(`
  query Maintenance {
    viewer { kind tenant { cnpj } }
    maintenance { startedAt finishedAt removedJobs removedTokens removedErrorEntries trimmedJournalEntries }
  }
`)

let services: TestServices
let client: ReturnType<typeof graphqlClient>

beforeAll(async () => {
  services = await openTestServices()
  client = graphqlClient(createGraphql({ services, log: console, maxEventBytes: 1_000 }), admin)
})
afterAll(() => services.close())

const accept = async (cnpj: string) => {
  const event = {
    cnpj,
    eventType: null,
    correlationId: null,
    contentType: null,
    headers: {},
    idempotencyKey: null,
  }
  return (await services.intake.accept({ ...event, body: Buffer.from('x') })).ns[0] ?? 0
}

describe('tenants', () => {
  test('are created with a token that works, shown this once', async () => {
    const { createTenant } = await client.data(Create, {
      input: { cnpj: '12.ABC.345/01DE-35', name: ' Padaria ' },
    })
    const { tenant, token, encryptedToken } = createTenant
    expect(tenant).toMatchObject({
      id: `CNPJ-${alphanumericCnpj}`,
      cnpj: alphanumericCnpj,
      name: 'Padaria',
      active: true,
    })
    expect(Date.parse(tenant.createdAt ?? '')).toBeGreaterThan(Date.now() - 60_000)
    expect(services.cipher.decrypt(encryptedToken)).toBe(token)
    expect(await services.directory.authenticate(token)).toMatchObject({ cnpj: alphanumericCnpj })
    expect(await client.codes(Create, { input: { cnpj: alphanumericCnpj, name: 'Again' } })).toEqual([
      'TENANT_EXISTS',
    ])
    expect(await client.codes(Create, { input: { cnpj: unusedCnpj, name: ' ' } })).toEqual(['BAD_REQUEST'])
  })

  test('are switched off and on', async () => {
    const { createTenant } = await client.data(Create, { input: { cnpj: numericCnpj, name: 'Switched' } })
    const active = async (value: boolean) =>
      (await client.data(SetActive, { cnpj: numericCnpj, active: value })).setTenantActive.active
    expect(await active(false)).toBe(false)
    await expect((async () => services.directory.authenticate(createTenant.token))()).rejects.toMatchObject({
      code: 'TENANT_INACTIVE',
    })
    expect(await active(true)).toBe(true)
    expect((await client.data(ShowTenant, { cnpj: numericCnpj })).tenant).toMatchObject({ active: true })
    expect(await client.codes(SetActive, { cnpj: unusedCnpj, active: true })).toEqual(['TENANT_NOT_FOUND'])
  })

  test('that are deleted leave their jobs readable', async () => {
    await client.data(Create, { input: { cnpj: unusedCnpj, name: 'Gone soon' } })
    const id = `ID-${await accept(unusedCnpj)}`
    expect((await client.data(TenantOfJob, { id })).job?.tenant.name).toBe('Gone soon')
    expect(await client.data(Delete, { cnpj: unusedCnpj })).toEqual({ deleteTenant: unusedCnpj })
    expect((await client.data(ShowTenant, { cnpj: unusedCnpj })).tenant).toBeNull()
    expect((await client.data(TenantOfJob, { id })).job).toEqual({
      status: 'RECEIVED',
      tenant: {
        ...{
          id: `CNPJ-${unusedCnpj}`,
          cnpj: unusedCnpj,
          name: '',
          active: false,
          createdAt: null,
          updatedAt: null,
        },
      },
    })
    expect(await client.codes(Delete, { cnpj: unusedCnpj })).toEqual(['TENANT_NOT_FOUND'])
  })

  test('are read again on every instance after invalidateTenantCache', async () => {
    const heard: string[] = []
    const listener = services.connections.dedicated('listener')
    await listener.subscribe('gancho:tenant-changed')
    listener.on('message', (_channel, cnpj) => heard.push(cnpj))
    expect(await client.data(Invalidate, { cnpj: numericCnpj })).toEqual({ invalidateTenantCache: true })
    expect(await client.data(Invalidate, { cnpj: null })).toEqual({ invalidateTenantCache: true })
    await expect.poll(() => heard).toEqual([numericCnpj, '*'])
  })
})

test('queues tell what they hold', async () => {
  const steps = jobSteps(services)
  const before = (await client.data(Queues, { name: 'nifi' })).queues[0]
  await steps.enqueue(await accept(numericCnpj))
  await steps.fail(await accept(numericCnpj))
  await services.lanes.add([{ n: 1_000_000, round: 0, queue: 'nifi', delayMs: 60_000 }])
  const { queue: found, queues } = await client.data(Queues, { name: 'nifi' })
  expect(found).toEqual({ name: 'nifi' })
  expect(before).toEqual({ name: 'nifi', waiting: 0, active: 0, delayed: 0, failed: 0, paused: false })
  expect(queues).toEqual([{ name: 'nifi', waiting: 1, active: 0, delayed: 1, failed: 1, paused: false }])
  expect((await client.data(Queues, { name: 'other' })).queue).toBeNull()
})

test('the last run of maintenance tells what it removed', async () => {
  expect(await client.data(Maintenance)).toEqual({
    viewer: { kind: 'ADMIN', tenant: null },
    maintenance: null,
  })
  const { lanes, errorQueue, records, redis } = services
  const forgetFailed = forgetJobs(redis, ['FAILED'])
  const run = await runMaintenance({
    ...{ lanes, errorQueue, records, redis, forgetFailed },
    ...{ history: services.stores.history, tenants: services.stores.tenants },
    ...{ stats: services.stores.stats, statsKept: [] },
    ...{ retentionMs: 86_400_000, maxJournalEntries: 1_000, now: Date.now },
  })
  const { maintenance } = await client.data(Maintenance)
  expect(maintenance).toEqual({
    ...run,
    startedAt: new Date(run.startedAt).toISOString(),
    finishedAt: new Date(run.finishedAt).toISOString(),
  })
})
