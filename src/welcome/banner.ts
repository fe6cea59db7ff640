/** What there is to tell at start. What does not apply, as the secrets in production, is undefined and left out. */
export type BannerFacts = {
  /** Origin that Gancho listens on, such as `http://127.0.0.1:4000`. */
  origin: string
  role: 'all' | 'gateway' | 'worker'
  /** Whether a browser that opens `/graphql` gets GraphiQL. */
  graphiql: boolean
  adminToken?: string | undefined
  tenant?: { cnpj: string; name: string; token: string } | undefined
  sampleReceiver?: { url: string; switchUrl: string } | undefined
  /** Whether there is a sample upstream to call. */
  sampleUpstream?: boolean | undefined
  /** Line to paste that starts a second process. */
  secondProcess?: string | undefined
}
type Section = { title: string; lines: string[] }

/** The text that a newcomer reads when Gancho has started. */
export function banner(facts: BannerFacts): string {
  const sections = [
    addresses(facts),
    access(facts),
    firstEvent(facts),
    receiver(facts),
    awaitedReply(facts),
    more(facts),
  ]
  const shown = sections.filter((section) => section.lines.length > 0)
  return `\n${shown.map(({ title, lines }) => [title, ...lines.map((line) => `  ${line}`)].join('\n')).join('\n\n')}\n`
}

function addresses({ origin, role, graphiql }: BannerFacts): Section {
  const serves =
    role === 'worker'
      ? []
      : [`REST      ${origin}/webhook`, `${graphiql ? 'GraphiQL' : 'GraphQL '}  ${origin}/graphql`]
  return { title: `Gancho is ready (${role})`, lines: [...serves, `Health    ${origin}/health/ready`] }
}

function access({ adminToken, tenant }: BannerFacts): Section {
  const lines = adminToken ? [`Admin token   ${adminToken}`] : []
  if (tenant) lines.push(`Tenant        ${tenant.name}, CNPJ ${tenant.cnpj}`, `Tenant token  ${tenant.token}`)
  return { title: 'For development', lines }
}

function firstEvent({ origin, tenant, role }: BannerFacts): Section {
  const title = 'Post an event'
  if (!tenant || role === 'worker') return { title, lines: [] }
  const headers = `-H 'Authorization: Bearer ${tenant.token}' -H 'Content-Type: application/json' -H 'X-Event-Type: order.created'`
  return { title, lines: [`curl -i ${origin}/webhook ${headers} -d '{"order":1}'`] }
}

function receiver({ sampleReceiver }: BannerFacts): Section {
  if (!sampleReceiver) return { title: '', lines: [] }
  const { url, switchUrl } = sampleReceiver
  return {
    title: 'Watch it arrive',
    lines: [
      `A sample receiver takes the events at ${url} and logs them here. Make it fail three times:`,
      `curl -X POST '${switchUrl}?status=500&times=3'`,
    ],
  }
}

function awaitedReply({ origin, tenant, sampleUpstream }: BannerFacts): Section {
  const title = 'Await a reply'
  if (!tenant || !sampleUpstream) return { title, lines: [] }
  const query =
    'mutation { callAndAwait(input: { body: { amount: 10 } }) { __typename ... on ReplyReceived { payload elapsedMs } } }'
  const headers = `-H 'Authorization: Bearer ${tenant.token}' -H 'Content-Type: application/json'`
  return {
    title,
    lines: [
      'A sample upstream takes the call and answers half a second later by a webhook. In its body, simulate: "late" (or',
      '"early", "double", "missing", "failing") shows what else may happen.',
      `curl -s ${origin}/graphql ${headers} -d '{"query":"${query}"}'`,
    ],
  }
}

function more({ secondProcess }: BannerFacts): Section {
  const second = secondProcess ? [`A worker beside this process: ${secondProcess}`] : []
  return {
    title: 'Then',
    lines: [
      'Stop with Ctrl-C: requests and jobs in flight are finished, the rest waits for the next start.',
      ...second,
    ],
  }
}
