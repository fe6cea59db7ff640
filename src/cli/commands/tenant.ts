import type { Command } from 'commander'
import { documents } from '../documents.ts'
import { exitCodes } from '../failure.ts'
import type { Output } from '../output.ts'
import type { Act, Session } from '../session.ts'
import { cell, timeText } from './job-text.ts'
import { wholeNumber } from './options.ts'
import { showPage } from './page.ts'

type Tenant = { cnpj: string; name: string; active: boolean }
type Listed = Tenant & { createdAt: string | null; lastActivityAt: string | null }
type WithToken = { tenant: Tenant; token: string }
type ListOptions = { text?: string; active?: boolean; inactive?: boolean; first: number; after?: string }
type Page = {
  tenants: {
    edges: { node: Listed }[]
    pageInfo: { hasNextPage: boolean; endCursor: string | null }
    totalCount: number
  }
}

const mostOverlapSeconds = 2_592_000

export function addTenant(program: Command, act: Act): void {
  const tenant = program.command('tenant').description('keep tenants, as an administrator')
  const create = tenant
    .command('create <cnpj>')
    .description('make a tenant, and show its token this once')
    .requiredOption('--name <name>', 'what it is called')
    .option('--inactive', 'without taking its events yet')
  act<{ name: string; inactive?: boolean }>(create, createTenant)
  const list = tenant
    .command('list')
    .description('list tenants in the order of their CNPJs')
    .option('--text <text>', 'whose name or CNPJ has this in it')
    .option('--active', 'active ones alone')
    .option('--inactive', 'inactive ones alone')
    .option('-n, --first <number>', 'at most so many', wholeNumber(1, 100), 50)
    .option('--after <cursor>', 'those that follow, as the last page said')
  act<ListOptions>(list, listTenants)
  const rotate = tenant
    .command('rotate <cnpj>')
    .description('make a new token in place of the others, and show it this once')
    .option('--overlap <seconds>', 'honour the others so long', wholeNumber(0, mostOverlapSeconds), 0)
    .option('--name <name>', 'what the new token is called')
  act<{ overlap: number; name?: string }>(rotate, rotateToken)
  const deactivate = tenant.command('deactivate <cnpj>').description('honour none of its tokens')
  act(deactivate, (session, _options, [cnpj]) => setActive(session, cnpj, false))
  const activate = tenant.command('activate <cnpj>').description('honour its tokens again')
  act(activate, (session, _options, [cnpj]) => setActive(session, cnpj, true))
}

async function createTenant(
  session: Session,
  { name, inactive = false }: { name: string; inactive?: boolean },
  [cnpj]: string[],
): Promise<number> {
  const variables = { input: { cnpj, name, active: !inactive } }
  const { createTenant: made } = await session.api.graphql<{ createTenant: WithToken }>(
    documents.createTenant,
    variables,
  )
  showToken(session, made)
  return exitCodes.ok
}

async function rotateToken(
  session: Session,
  { overlap, name }: { overlap: number; name?: string },
  [cnpj]: string[],
): Promise<number> {
  const variables = { cnpj, overlapSeconds: overlap, name }
  const { rotateTenantToken } = await session.api.graphql<{ rotateTenantToken: WithToken }>(
    documents.rotateToken,
    variables,
  )
  showToken(session, rotateTenantToken)
  return exitCodes.ok
}

function showToken({ output, json }: Session, { tenant, token }: WithToken): void {
  if (json) {
    output.json({ ...tenant, token })
    return
  }
  output.line(described(tenant))
  output.line(`Token  ${token}`)
  output.remark('It is shown this once.')
}

async function setActive({ api, output, json }: Session, cnpj: string | undefined, active: boolean) {
  const { setTenantActive } = await api.graphql<{ setTenantActive: Tenant }>(documents.setActive, {
    cnpj,
    active,
  })
  if (json) output.json(setTenantActive)
  else output.line(described(setTenantActive))
  return exitCodes.ok
}

const described = ({ cnpj, name, active }: Tenant) =>
  `Tenant ${cnpj} ${cell(name)} is ${active ? 'active' : 'not active'}.`

async function listTenants({ api, output, json }: Session, options: ListOptions): Promise<number> {
  const { text, active, inactive, first, after } = options
  const filter = { text, active: active === inactive ? undefined : active === true }
  const { tenants } = await api.graphql<Page>(documents.tenants, { first, after, filter })
  const found = tenants.edges.map(({ node }) => node)
  if (json) output.json({ tenants: found, ...tenants.pageInfo, totalCount: tenants.totalCount })
  else show(found, tenants, output)
  return exitCodes.ok
}

function show(found: readonly Listed[], { pageInfo, totalCount }: Page['tenants'], output: Output): void {
  const rows = found.map(({ cnpj, name, active, createdAt, lastActivityAt }) => [
    cnpj,
    cell(name, 40),
    active ? 'yes' : 'no',
    timeText(createdAt),
    timeText(lastActivityAt),
  ])
  const heading = ['CNPJ', 'NAME', 'ACTIVE', 'CREATED (UTC)', 'LAST ACTIVE (UTC)']
  showPage({ what: 'tenants', heading, rows, ...pageInfo, totalCount }, output)
}
