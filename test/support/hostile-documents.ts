/** One document that asks for too much, and how it is refused. */
export type HostileDocument = {
  kind: string
  query: string
  variables?: Record<string, unknown>
  code: string
  /** Of DOCUMENT_TOO_COMPLEX. */
  limit?: string
}

const repeated = (count: number, part: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => part(i)).join(' ')
const nested = (levels: number, inner: string): string =>
  levels === 0 ? inner : `destinations { tenant { ${nested(levels - 1, inner)} } }`

const tooComplex = (limit: string) => ({ code: 'DOCUMENT_TOO_COMPLEX', limit })
const invalid = { code: 'GRAPHQL_VALIDATION_FAILED' }

export const hostileDocuments: readonly HostileDocument[] = [
  { kind: 'deep', query: `{ viewer { tenant { ${nested(8, 'cnpj')} } } }`, ...tooComplex('depth') },
  {
    kind: 'deep through fragments',
    query: `{ viewer { tenant { ...f0 } } } ${repeated(8, (i) => `fragment f${i} on Tenant { destinations { tenant { ...f${i + 1} } } }`)} fragment f8 on Tenant { cnpj }`,
    ...tooComplex('depth'),
  },
  {
    kind: 'deep and empty, so that it costs nothing',
    query: `{ jobs(first: 0) { edges { node { tenant { ${nested(8, 'cnpj')} } } } } }`,
    ...tooComplex('depth'),
  },
  { kind: 'wide', query: `{ viewer { ${'kind '.repeat(1_000)} } }`, ...tooComplex('tokens') },
  {
    kind: 'expensive by the sizes that it names',
    query: `{ tenants(first: 200) { edges { node { ${nested(2, 'cnpj name')} } } } }`,
    ...tooComplex('cost'),
  },
  {
    kind: 'expensive by a variable',
    query: `query ($n: Int) { jobs(first: $n) { edges { node { body payload tenant { ${nested(2, 'cnpj name')} } } } } }`,
    variables: { n: 200 },
    ...tooComplex('cost'),
  },
  {
    kind: 'expensive by the default of a variable',
    query: `query ($n: Int = 200) { jobs(last: $n) { edges { node { body payload tenant { ${nested(2, 'cnpj name')} } } } } }`,
    ...tooComplex('cost'),
  },
  {
    kind: 'aliased',
    query: `{ ${repeated(51, (i) => `a${i}: viewer { kind }`)} }`,
    ...tooComplex('aliases'),
  },
  {
    kind: 'aliased mutations',
    query: `mutation { ${repeated(51, (i) => `a${i}: createStreamTicket { ticket }`)} }`,
    ...tooComplex('aliases'),
  },
  {
    kind: 'a bomb of fragments',
    query: `{ viewer { tenant { ...f0 } } } ${repeated(11, (i) => `fragment f${i} on Tenant { a${i}: destinations { id tenant { cnpj } } b${i}: destinations { name } ...f${i + 1} ...f${i + 1} }`)} fragment f11 on Tenant { cnpj }`,
    ...tooComplex('cost'),
  },
  {
    kind: 'fragments that hold themselves',
    query: '{ viewer { ...a } } fragment a on Viewer { ...b } fragment b on Viewer { kind ...a }',
    ...invalid,
  },
  {
    kind: 'directives',
    query: `{ viewer { kind ${'@skip(if: false) '.repeat(51)} } }`,
    ...tooComplex('directives'),
  },
  { kind: 'one directive twice', query: '{ viewer { kind @skip(if: false) @skip(if: false) } }', ...invalid },
  { kind: 'the schema', query: '{ __schema { types { name fields { name } } } }', code: 'INTROSPECTION_OFF' },
  {
    kind: 'the schema, in a fragment',
    query: '{ viewer { kind } ...f } fragment f on Query { t: __type(name: "Job") { name } }',
    code: 'INTROSPECTION_OFF',
  },
  { kind: 'huge', query: `{ viewer { kind } } #${'x'.repeat(65_536)}`, ...tooComplex('characters') },
  { kind: 'wrong all over', query: `{ viewer { ${repeated(900, (i) => `kin${i}`)} } }`, ...invalid },
  { kind: 'no document', query: '{ viewer { kind ', code: 'GRAPHQL_PARSE_FAILED' },
  {
    kind: 'a subscription that is deep',
    query: `subscription { jobEvents { ... on JobStatusChanged { job { tenant { ${nested(8, 'cnpj')} } } } } }`,
    ...tooComplex('depth'),
  },
  {
    kind: 'a subscription that is expensive',
    query: `subscription { jobEvents { ... on JobStatusChanged { job { tenant { ${nested(3, 'cnpj name active id')} } } } } }`,
    ...tooComplex('messageCost'),
  },
]
