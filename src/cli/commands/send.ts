import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { Command } from 'commander'
import { documents } from '../documents.ts'
import { exitCodes, usageError } from '../failure.ts'
import type { Act, Session } from '../session.ts'

type Options = {
  type?: string
  idempotencyKey?: string
  correlationId?: string
  contentType?: string
  cnpj?: string
}
type Accepted = { id: string | null; ids: string[]; eventId: string }

/** The tenant that `npm start` makes for the first event (src/welcome/development-tenant.ts). */
const developmentCnpj = '11222333000181'

export function addSend(program: Command, act: Act): void {
  const command = program
    .command('send [file]')
    .summary('post an event from a file, or from stdin')
    .description(
      'Posts an event from a file, or from stdin, and shows its jobs. With the token of a tenant, or with that of an ' +
        "administrator and --cnpj; in development it is the development tenant's unless --cnpj names another.",
    )
    .option('-t, --type <type>', 'what kind of event it is, such as order.created')
    .option('--idempotency-key <key>', 'the same event again with the same key is taken once')
    .option('--correlation-id <id>', 'passed on to the destination')
    .option('--content-type <type>', 'of the content; application/json when it is JSON')
    .option('--cnpj <cnpj>', "the tenant whose event it is, with an administrator's token")
  act<Options>(command, send)
}

async function send(session: Session, options: Options, [file]: string[]): Promise<number> {
  const content = await contentOf(session, file)
  const contentType = options.contentType ?? (isJson(content) ? 'application/json' : undefined)
  if (contentType === undefined && !session.json)
    session.output.remark('This is not JSON, and is sent as it is. --content-type says what it is.')
  const cnpj = options.cnpj ?? (session.access.ofDevelopment ? developmentCnpj : undefined)
  const accepted = cnpj
    ? await publish(session, options, { cnpj, content, contentType })
    : await post(session, options, { content, contentType })
  if (session.json) session.output.json(accepted)
  else session.output.line(`Accepted as ${accepted.ids.join(', ') || 'no job: no destination takes it'}.`)
  return exitCodes.ok
}

async function contentOf({ stdin, output }: Session, file: string | undefined): Promise<Buffer<ArrayBuffer>> {
  if (file === undefined || file === '-') {
    if (stdin.isTTY) output.remark('Type the event, and end it with Ctrl-D.')
    return Buffer.from(await buffer(stdin))
  }
  try {
    return Buffer.from(await readFile(file))
  } catch (error) {
    throw usageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
}

type Content = { content: Buffer<ArrayBuffer>; contentType: string | undefined }

function post({ api }: Session, options: Options, { content, contentType }: Content): Promise<Accepted> {
  const headers = {
    'content-type': contentType ?? 'application/octet-stream',
    ...(options.type && { 'x-event-type': options.type }),
    ...(options.idempotencyKey && { 'idempotency-key': options.idempotencyKey }),
    ...(options.correlationId && { 'x-correlation-id': options.correlationId }),
  }
  return api.rest<Accepted>('POST', '/webhook', { body: content, headers })
}

async function publish(
  { api }: Session,
  options: Options,
  { cnpj, content, contentType }: Content & { cnpj: string },
): Promise<Accepted> {
  const body = content.toString('utf8')
  if (!Buffer.from(body).equals(content))
    throw usageError('Content that is not UTF-8 text can be sent with the token of a tenant alone.')
  const input = {
    ...{ cnpj, body, contentType, eventType: options.type },
    ...{ idempotencyKey: options.idempotencyKey, correlationId: options.correlationId },
  }
  const { publishEvent } = await api.graphql<{ publishEvent: Omit<Accepted, 'id'> }>(documents.publish, {
    input,
  })
  return { id: publishEvent.ids[0] ?? null, ...publishEvent }
}

function isJson(content: Buffer): boolean {
  try {
    JSON.parse(content.toString('utf8'))
    return true
  } catch {
    return false
  }
}
