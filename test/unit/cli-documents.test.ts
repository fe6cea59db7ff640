import { readFileSync } from 'node:fs'
import { buildSchema, extendSchema, type GraphQLSchema, parse, validate } from 'graphql'
import { expect, test } from 'vitest'
import { documents, tailDocument } from '../../src/cli/documents.ts'

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'))

/** What a schema without subscriptions lacks of those that `gancho tail` follows. */
const liveStatuses = `
  scalar Cursor
  type Subscription { jobEvents(filter: JobEventFilter, after: Cursor): JobEventMessage! }
  input JobEventFilter { ids: [ID!] cnpj: CNPJ queue: String statuses: [JobStatus!] eventType: String }
  union JobEventMessage = JobStatusChanged | JobEventsGap
  type JobStatusChanged {
    cursor: Cursor! jobId: ID! job: Job status: JobStatus! previousStatus: JobStatus attempt: Int at: DateTime!
  }
  type JobEventsGap { cursor: Cursor! reason: String! }`

const withLiveStatuses: GraphQLSchema = schema.getSubscriptionType()
  ? schema
  : extendSchema(schema, parse(liveStatuses))

test.each(Object.entries(documents))(
  'what the command line asks for is in the schema: %s',
  (_name, document) => {
    expect(validate(schema, parse(document))).toEqual([])
  },
)

test('what gancho tail subscribes to is in the schema', () => {
  expect(validate(withLiveStatuses, parse(tailDocument))).toEqual([])
})
