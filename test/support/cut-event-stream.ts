import { request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Course, type JobEventResult, jobEventsQuery } from './subscriber-course.ts'

export type Following = {
  course: Course
  token: string
  /** The gateway to connect to next. */
  origin: () => string
  /** How long to wait before. */
  pauseMs: () => number
}

/** Follows job events over event streams as a browser does: after each end it connects again with the last id it got. */
export function followByEventStream({ course, token, origin, pauseMs }: Following): { close(): void } {
  let isClosed = false
  let connection: { destroy(): unknown } | undefined
  const open = () =>
    new Promise<void>((resolve, reject) => {
      const url = new URL('/graphql', origin())
      url.searchParams.set('query', jobEventsQuery)
      const headers = {
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
        'last-event-id': course.cursor,
      }
      const request = httpRequest(url, { agent: false, headers }, (response) => {
        response.once('close', resolve)
        response.once('error', () => undefined)
        if (response.statusCode === 200) read(course, response)
        else reject(new Error(`refused with ${response.statusCode}`))
      })
      request.once('error', reject)
      request.end()
      connection = request
    })
  const run = async () => {
    while (!isClosed) {
      await open().catch(({ message }: Error) => course.troubles.push(message))
      await sleep(pauseMs())
    }
  }
  void run()
  return {
    close() {
      isClosed = true
      connection?.destroy()
    },
  }
}

function read(course: Course, response: IncomingMessage): void {
  let rest = ''
  course.connections += 1
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    // What was in hand when it was cut comes all the same.
    if (response.destroyed) return
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop() ?? ''
    if (blocks.some((block) => takeBlock(course, block))) response.destroy()
  })
}

/** True when the connection is to be cut. */
function takeBlock(course: Course, block: string): boolean {
  const fields = new Map(block.split('\n').map((line) => line.split(/: ?(.*)/s) as [string, string]))
  const id = fields.get('id')
  if (fields.get('event') !== 'next') {
    // An id alone tells how far the stream is.
    course.cursor = id ?? course.cursor
    return false
  }
  const { data, errors = [] } = JSON.parse(fields.get('data') ?? '') as JobEventResult
  for (const error of errors) course.troubles.push(String(error.extensions?.code ?? error.message))
  if (!data) return false
  if (id !== data.jobEvents.cursor) course.troubles.push(`id ${id} of cursor ${data.jobEvents.cursor}`)
  return course.take(data.jobEvents)
}
