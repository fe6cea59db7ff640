/** What both pages share: the form, the table, and questions to Gancho. */

const mostRows = 100

export const subscription = `subscription ($after: Cursor) {
  jobEvents(after: $after) {
    ... on JobStatusChanged { cursor jobId status at }
    ... on JobEventsGap { cursor reason }
  }
}`

/** Calls `connect({ gateway, token })` for each submit, after what it returned the last time. */
export function onConnect(connect) {
  let disconnect
  document.querySelector('#connect').addEventListener('submit', (event) => {
    event.preventDefault()
    disconnect?.()
    disconnect = connect(Object.fromEntries(new FormData(event.target)))
  })
}

/** `state`: live, waiting or refused. */
export function showState(state, text) {
  const place = document.querySelector('#state')
  place.dataset.state = state
  place.textContent = text
}

/** Asks Gancho. Throws an error with a `code` when it refuses, and without one when it is not to be reached. */
export async function ask({ gateway, token }, query, variables) {
  const response = await fetch(new URL('/graphql', gateway), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = await response.json()
  if (!errors) return data
  const [{ message, extensions }] = errors
  throw Object.assign(new Error(message), { code: extensions?.code, status: response.status })
}

/** A table of jobs by their numbers, newest first. */
export function jobTable() {
  const body = document.querySelector('#jobs')
  const count = document.querySelector('#count')
  const rows = new Map()
  let changes = 0

  const rowOf = (id) => {
    const known = rows.get(id)
    if (known) return known
    const number = Number(id.slice(3))
    const row = { id, number, at: '', listed: undefined, element: document.createElement('tr') }
    row.element.innerHTML =
      '<th scope="row"></th><td class="status"></td><td class="trail"></td><td><time></time></td>'
    row.element.querySelector('th').textContent = id
    rows.set(id, row)
    const below = [...rows.values()].filter((one) => one.number < number).sort((a, b) => b.number - a.number)
    body.insertBefore(row.element, below[0]?.element ?? null)
    if (rows.size > mostRows) drop([...rows.values()].reduce((a, b) => (a.number < b.number ? a : b)))
    document.querySelector('#empty').hidden = true
    return row
  }
  const drop = ({ id, element }) => {
    rows.delete(id)
    element.remove()
  }
  const write = (row, status, at) => {
    const [, state, trail, last] = row.element.children
    row.at = at
    state.dataset.status = status
    state.textContent = status
    trail.textContent = trail.textContent ? `${trail.textContent} → ${status}` : status
    last.firstChild.dateTime = at
    last.firstChild.textContent = new Date(at).toLocaleTimeString()
  }
  return {
    change({ jobId, status, at }) {
      changes += 1
      count.textContent = changes
      const row = rowOf(jobId)
      const { listed } = row
      // What the list has told already.
      if (listed && (at < listed.at || (at === listed.at && status === listed.status))) return
      write(row, status, at)
    },
    /** The list comes from the history, a moment later than the changes: what is known to be newer stays. */
    fill(jobs) {
      for (const { id, status, updatedAt } of jobs) {
        const row = rowOf(id)
        if (updatedAt <= row.at) continue
        row.listed = { at: updatedAt, status }
        write(row, status, updatedAt)
      }
    },
  }
}

/** Loads what changes do not tell: what was there before, and what a gap has left out. */
export async function fillFromList(connection, table) {
  const { jobs } = await ask(connection, '{ jobs(first: 50) { edges { node { id status updatedAt } } } }')
  table.fill(jobs.edges.map(({ node }) => node))
}
