import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { getOperationAST, parse } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { blocksOf, shownCommands, withoutChance } from '../support/documents.ts'
import { openEventStream } from '../support/event-stream.ts'
import { attemptsAt, clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'
import type { Answer } from '../support/receiver.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let fleet: Fleet
let gancho: GanchoProcess
let token: string
let folder: Awaited<ReturnType<typeof temporaryFolder>>

/** The receiver refuses events, or keeps its answers back while these are set. */
let refuses = false
let kept: ServerResponse[] | undefined
const answer: Answer = (response) => {
  response.statusCode = refuses ? 410 : 200
  if (kept) kept.push(response)
  else response.end()
}

beforeAll(async () => {
  folder = await temporaryFolder()
  fleet = await openFleet({ answer })
  gancho = await fleet.start('all')
  token = (await clientsOf(gancho)).token
})
afterAll(async () => {
  await fleet.close()
  await folder.remove()
})

/** Runs it in a shell as a reader would, with the variables that the document has them set. */
async function run(command: string): Promise<string> {
  const node = `${process.execPath} --disable-warning=ExperimentalWarning`
  const child = spawn('bash', ['-c', command.replace(/^node /, `${node} `)], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', GANCHO: gancho.origin, TOKEN: token },
  })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return out + err
}

describe('docs/webhooks-for-senders.md', () => {
  const path = 'docs/webhooks-for-senders.md'

  test('shows commands, one after the other, with the answers that they get', async () => {
    for (const block of blocksOf(path)) {
      const name = /^\/\/ file: (\S+)\n/.exec(block.text)?.[1]
      if (name !== undefined) await writeFile(join(folder.path, name), block.text)
    }
    const commands = shownCommands(path)
    expect(commands).toHaveLength(7)
    for (const { command, output } of commands) {
      // The page goes on with what has been delivered by then.
      if (command.includes('ID-1')) await untilStatus(clientOf(gancho), 'ID-1', 'DELIVERED')
      expect(withoutChance(await run(command)), command).toBe(withoutChance(output))
    }
  })
})

describe('docs/dashboards.md', () => {
  const documents = blocksOf('docs/dashboards.md').flatMap(({ language, text: document }) =>
    language === 'graphql' ? [document] : [],
  )
  const typeOf = (document: string) => getOperationAST(parse(document))?.operation
  const ofType = (type: string) => documents.filter((document) => typeOf(document) === type)

  test('shows operations of all three kinds', () => {
    expect(['query', 'mutation', 'subscription'].map((type) => ofType(type).length)).toEqual([7, 4, 3])
  })

  const named = (name: string) => documents.find((document) => document.includes(` ${name}`)) ?? ''
  const isOfBulk = (document: string) => document.includes('bulkReprocess')
  const isOfQueues = (document: string) => /\b(queues|queueStats)\b/.test(document)
  /** The first answer to it. */
  const answerTo = async (document: string, used: string): Promise<unknown> => {
    if (typeOf(document) === 'query') return clientOf(gancho, used).graphql(document)
    const stream = await openEventStream(gancho.origin, { query: document, token: used })
    if (stream.status !== 200) return stream.ended.then(() => Promise.reject(new Error(stream.raw())))
    await clientOf(gancho, token).postJob({ shown: true })
    const answered = () => stream.results()[0] as { data?: unknown } | undefined
    await until(answered, { what: `a result of ${document}` })
    stream.close()
    return answered()?.data
  }

  const answered = ofType('query')
    .concat(ofType('subscription'))
    .filter((document) => !isOfBulk(document))

  const expectAnswers = async (wanted: readonly string[], used: string) => {
    const id = await clientOf(gancho, token).postJob({ shown: true })
    for (const document of wanted) {
      const answer = (await answerTo(document.replace('ID-1', id), used)) as object
      for (const value of Object.values(answer)) expect(value, document).not.toBeNull()
    }
  }

  test('shows what an administrator gets answers to', () => expectAnswers(answered, adminToken))

  test('shows what a tenant gets answers to, but for queues', async () => {
    await expectAnswers(
      answered.filter((document) => !isOfQueues(document)),
      token,
    )
    for (const document of answered.filter(isOfQueues))
      await expect(answerTo(document, token)).rejects.toThrow('FORBIDDEN')
  })

  test('shows buttons that answer as it says', async () => {
    const id = await clientOf(gancho, token).postJob({ shown: true })
    await untilStatus(clientOf(gancho), id, 'DELIVERED')
    const [again, discard] = [named('DeliverAgain'), named('Discard')].map((document) =>
      document.replace('ID-1', id),
    ) as [string, string]
    const client = clientOf(gancho, token)
    kept = []
    expect(await client.graphql(again)).toMatchObject({ reprocessJob: { id, reprocessCount: 1 } })
    await expect(client.graphql(again)).rejects.toThrow(/ALREADY_REQUEUED|JOB_STATE_CONFLICT/)
    await until(() => attemptsAt(fleet.receiver).includes(`${id}.1.2`), { what: 'the second delivery' })
    for (const response of kept.splice(0)) response.end()
    kept = undefined
    await untilStatus(clientOf(gancho), id, 'DELIVERED')
    await expect(client.graphql(discard)).rejects.toThrow('JOB_STATE_CONFLICT')
  })

  test('shows how many jobs are delivered again, and how far that is', async () => {
    const client = clientOf(gancho, token)
    refuses = true
    const ids = [await client.postJob({ shown: 1 }), await client.postJob({ shown: 2 })]
    for (const id of ids) await untilStatus(clientOf(gancho), id, 'FAILED')
    refuses = false
    type Preview = { previewReprocess: { count: number; token: string } }
    const preview = async () => (await client.graphql<Preview>(named('Preview'))).previewReprocess
    const both = async () => {
      const shown = await preview()
      return shown.count === 2 && shown
    }
    const shown = await until(both, { what: 'both in the history' })
    const begun = await client.graphql<{ commitReprocess: { id: string } }>(named('Begin'), {
      token: shown.token,
    })
    const variables = { id: begun.commitReprocess.id }
    const stream = await openEventStream(gancho.origin, { query: named('Progress'), variables, token })
    const done = {
      data: { bulkReprocess: expect.objectContaining({ status: 'COMPLETED', done: 2, total: 2 }) },
    }
    await expect.poll(() => stream.results()).toContainEqual(done)
    stream.close()
    for (const id of ids) await untilStatus(clientOf(gancho), id, 'DELIVERED')
  })
})
