import { connect } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { type Finding, fail, ok, reasonOf } from './finding.ts'
import type { DoctorSettings } from './settings.ts'

const name = 'Destination'
const timeoutMs = 5_000

/** Whether the destination takes connections. Nothing is posted: it would be taken for an event. */
export async function checkDestination({ destinationUrl, delivers }: DoctorSettings): Promise<Finding[]> {
  if (!delivers) return []
  if (!destinationUrl) return [ok(name, 'none is set: the sample receiver of "npm start"')]
  if (!URL.canParse(destinationUrl)) return []
  const url = new URL(destinationUrl)
  const since = performance.now()
  try {
    await reach(url)
    return [ok(name, `${url.origin} takes connections (${Math.round(performance.now() - since)} ms)`)]
  } catch (error) {
    const advice = 'start it, or correct DESTINATION_URL, the way there (firewall, proxy) or its certificate'
    return [fail(name, `${url.origin} cannot be reached (${reasonOf(error)})`, advice)]
  }
}

function reach({ hostname, port, protocol }: URL): Promise<void> {
  const host = hostname.replaceAll(/[[\]]/g, '')
  const secure = protocol === 'https:'
  const socket = secure
    ? connectSecurely({ host, port: Number(port || 443), servername: host })
    : connect({ host, port: Number(port || 80) })
  return new Promise<void>((resolve, reject) => {
    socket.setTimeout(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs / 1_000} s`)))
    socket.once('error', reject)
    socket.once(secure ? 'secureConnect' : 'connect', () => resolve())
  }).finally(() => socket.destroy())
}
