const bulkFields = 'id status total done skipped { reason count } finishedAt'

/** The GraphQL operations that the commands send; a test holds them against the schema. */
export const documents = {
  publish: `mutation Publish($input: PublishEventInput!) { publishEvent(input: $input) { ids eventId } }`,

  jobs: `query Jobs($first: Int!, $after: String, $filter: JobFilter) {
    jobs(first: $first, after: $after, filter: $filter) {
      edges { node {
        id status eventType attemptCount receivedAt updatedAt explanation tenant { cnpj } queue { name }
      } }
      pageInfo { hasNextPage endCursor }
      totalCount
    }
  }`,

  job: `query Job($id: ID!) {
    job(id: $id) {
      id eventId status explanation eventType correlationId destinationId reprocessCount reported
      receivedAt updatedAt deliveredAt nextAttemptAt body headers
      tenant { cnpj name } queue { name } failure { reason error statusCode }
      attempts { number round startedAt outcome statusCode error timing { totalMs } }
    }
  }`,

  failedIn: `query FailedIn($name: String!) { queue(name: $name) { failed } }`,

  reprocess: `mutation Reprocess($id: ID!) { reprocessJob(id: $id) { id status } }`,

  preview: `mutation Preview($filter: JobFilter!) {
    previewReprocess(filter: $filter) { count hasMore oldestAt token sample { id } }
  }`,

  commit: `mutation Commit($token: String!, $rate: Int, $reason: String) {
    commitReprocess(token: $token, ratePerSecond: $rate, reason: $reason) { ${bulkFields} }
  }`,

  bulk: `query Bulk($id: ID!) { bulkReprocess(id: $id) { ${bulkFields} } }`,

  cancelBulk: `mutation CancelBulk($id: ID!) { cancelReprocess(id: $id) { ${bulkFields} } }`,

  createTenant: `mutation CreateTenant($input: CreateTenantInput!) {
    createTenant(input: $input) { tenant { cnpj name active } token }
  }`,

  tenants: `query Tenants($first: Int!, $after: String, $filter: TenantFilter) {
    tenants(first: $first, after: $after, filter: $filter) {
      edges { node { cnpj name active createdAt lastActivityAt } }
      pageInfo { hasNextPage endCursor }
      totalCount
    }
  }`,

  rotateToken: `mutation Rotate($cnpj: CNPJ!, $overlapSeconds: Int, $name: String) {
    rotateTenantToken(cnpj: $cnpj, overlapSeconds: $overlapSeconds, name: $name) {
      tenant { cnpj name active } token
    }
  }`,

  setActive: `mutation SetActive($cnpj: CNPJ!, $active: Boolean!) {
    setTenantActive(cnpj: $cnpj, active: $active) { cnpj name active }
  }`,
}

/** What `gancho tail` subscribes to. */
export const tailDocument = `subscription Tail($filter: JobEventFilter, $after: Cursor) {
  jobEvents(filter: $filter, after: $after) {
    __typename
    ... on JobStatusChanged { cursor jobId status previousStatus attempt at }
    ... on JobEventsGap { cursor reason }
  }
}`
