import { ask, fillFromList, jobTable, onConnect, showState, subscription } from './live-jobs.mjs'

const table = jobTable()
const pauseMs = () => 1_000 + Math.random() * 2_000

onConnect((connection) => {
  let source
  let timer
  let after
  let isClosed = false

  /** A ticket stands for the token, because an EventSource can send no headers. */
  async function open() {
    try {
      const { createStreamTicket } = await ask(connection, 'mutation { createStreamTicket { ticket } }')
      const url = new URL('/graphql', connection.gateway)
      url.searchParams.set('ticket', createStreamTicket.ticket)
      url.searchParams.set('query', subscription)
      url.searchParams.set('variables', JSON.stringify({ after }))
      if (!isClosed) listen(new EventSource(url))
    } catch (error) {
      if (error.status === 401 || error.status === 403) return showState('refused', error.message)
      later()
    }
  }

  function later() {
    if (isClosed) return
    showState('waiting', 'Waiting to connect again')
    timer = setTimeout(open, pauseMs())
  }

  function listen(opened) {
    source = opened
    source.onopen = () => {
      showState('live', 'Live')
      // Without a cursor it begins with now: what was before is in the list.
      if (after === undefined) reload()
    }
    source.addEventListener('next', ({ data, lastEventId }) => take(JSON.parse(data), lastEventId))
    // The browser connects again by itself, with the last id that it got. It gives up when it is refused, as with a ticket that
    // has expired: then a new one is needed, and `after` says where to go on.
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) later()
      else showState('waiting', 'Connecting again')
    }
  }

  function take({ data, errors }, id) {
    if (id) after = id
    if (errors) return showState('waiting', errors[0].message)
    const { reason, ...change } = data.jobEvents
    if (reason) reload()
    else table.change(change)
  }

  const reload = () => fillFromList(connection, table).catch(({ message }) => console.warn(message))

  showState('waiting', 'Connecting')
  open()
  return () => {
    isClosed = true
    clearTimeout(timer)
    source?.close()
  }
})
