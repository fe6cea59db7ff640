import { createClient } from 'graphql-ws'
import { fillFromList, jobTable, onConnect, showState, subscription } from './live-jobs.mjs'

const table = jobTable()
const pauseMs = () => 1_000 + Math.random() * 2_000

onConnect((connection) => {
  let after
  let timer
  let isClosed = false
  const url = new URL('/graphql', connection.gateway)
  url.protocol = url.protocol.replace('http', 'ws')
  const client = createClient({
    url: url.href,
    connectionParams: { authorization: `Bearer ${connection.token}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, pauseMs())),
    // Also when nobody answers at all, as while the server restarts.
    shouldRetry: () => true,
    on: {
      connected() {
        showState('live', 'Live')
        // Without a cursor it begins with now: what was before is in the list.
        if (after === undefined) reload()
      },
      closed: () => !isClosed && showState('waiting', 'Connecting again'),
    },
  })

  // The client sends the same payload when it has connected again: a getter makes it say where to go on.
  const variables = {
    get after() {
      return after
    },
  }
  function subscribe() {
    client.subscribe({ query: subscription, variables }, { next: take, error: refused, complete: later })
  }

  function later() {
    if (!isClosed) timer = setTimeout(subscribe, pauseMs())
  }

  /** Errors of the operation, or the close event of a socket that is not to be opened again. */
  function refused(reason) {
    const [error] = Array.isArray(reason) ? reason : []
    if (error?.extensions?.retryAfterSeconds) return later()
    showState('refused', error?.message ?? reason.reason ?? 'Refused')
  }

  function take({ data, errors, extensions }) {
    if (errors) return showState('waiting', errors[0].message)
    after = extensions?.cursor ?? data.jobEvents.cursor
    const { reason, ...change } = data.jobEvents
    if (reason) reload()
    else table.change(change)
  }

  const reload = () => fillFromList(connection, table).catch(({ message }) => console.warn(message))

  showState('waiting', 'Connecting')
  subscribe()
  return () => {
    isClosed = true
    clearTimeout(timer)
    client.dispose()
  }
})
