import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { until } from '../support/client.ts'
import { gancho, ganchoJson } from '../support/command-line.ts'
import { type GanchoProcess, startGancho } from '../support/gancho.ts'
import { untilShown } from '../support/metrics.ts'
import { startReceiver } from '../support/receiver.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

type Job = { id: string; status: string; eventType: string | null }

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let receiver: Awaited<ReturnType<typeof startReceiver>>
let server: GanchoProcess
/** What a newcomer's shell has set: where Gancho listens, and nothing of a token. */
let here: { env: Record<string, string>; cwd: string }
let status = 200

beforeAll(async () => {
  folder = await temporaryFolder()
  receiver = await startReceiver((response) => response.writeHead(status).end())
  const env = { DATA_DIR: join(folder.path, '.gancho'), DESTINATION_URL: receiver.url, ADMIN_TOKEN: '' }
  server = await startGancho({ env })
  here = { env: { PORT: new URL(server.origin).port, NO_COLOR: '1' }, cwd: folder.path }
})
afterAll(async () => {
  await server?.stop()
  await receiver.close()
  await folder.remove()
})

const run = (...args: string[]) => gancho(args, here)
const read = <Result>(...args: string[]) => ganchoJson<Result>(args, here)
const untilStatus = (id: string, wanted: string) => {
  let seen: Job | undefined
  const check = async () => {
    seen = await read<Job>('job', id)
    return seen.status === wanted
  }
  return until(check, { what: () => `${id} is ${wanted}, last seen as ${JSON.stringify(seen)}` })
}
const send = async (content: string, ...options: string[]) => {
  const sent = await ganchoJson<{ ids: string[] }>(['send', ...options], { ...here, stdin: content })
  return sent.ids[0] ?? ''
}

describe('in the folder where npm start runs, without a token copied', () => {
  test('an event is sent, listed and shown with its attempts', async () => {
    const typed = await gancho(['send', '-t', 'order.created', '--correlation-id', 'c-1'], {
      ...here,
      stdin: '{"order": 12345678901234567890}',
    })
    expect(typed).toMatchObject({ code: 0, stdout: 'Accepted as ID-1.\n' })
    await untilStatus('ID-1', 'DELIVERED')
    expect(receiver.received[0]?.body.toString(), 'bytes as they were typed').toBe(
      '{"order": 12345678901234567890}',
    )
    expect((await run('job', 'ID-1')).stdout).toMatch(
      /^ID-1 {2}DELIVERED\nDelivered to destination default.*\n\n {2}Type +order\.created\n.*Correlation +c-1\n.*\n1 +0 +\S+ \S+ +DELIVERED +200 +\d+ ms +-\n$/s,
    )
    expect((await run('job', 'ID-1', '--body')).stdout).toBe('{"order": 12345678901234567890}')
    await until(async () => (await read<{ jobs: Job[] }>('jobs', '-s', 'delivered')).jobs.length === 1, {
      what: 'history has it',
    })
    expect((await run('jobs')).stdout).toMatch(
      /^JOB +STATUS +TYPE .*\nID-1 +DELIVERED +order\.created +nifi +11222333000181 +1 .*\n$/,
    )
  })

  test('what failed is queued again, one by one or a whole error queue', async () => {
    status = 410
    const ids = [await send('first'), await send('second'), await send('third')] as const
    for (const id of ids) await untilStatus(id, 'FAILED')
    // A job has failed a moment before it is in the error queue.
    await untilShown(server, { 'gancho_queue_jobs{queue="nifi",state="failed"}': ids.length })
    status = 200
    const one = await run('reprocess', ids[0], 'ID-999')
    expect(one).toMatchObject({
      code: 1,
      stdout: '1 queued again, 1 not.\n  ID-999: JOB_NOT_FOUND\n',
    })
    const rest = await read<{ requeued: string[]; skipped: unknown[] }>(
      ...['reprocess', '--queue', 'nifi', '--all'],
    )
    expect({ ...rest, requeued: rest.requeued.toSorted() }).toEqual({
      requeued: [ids[1], ids[2]],
      skipped: [],
    })
    for (const id of ids) await untilStatus(id, 'DELIVERED')
  })

  test('many are queued again after a look at them', async () => {
    status = 410
    const ids = [await send('one', '-t', 'bulk.test'), await send('two', '-t', 'bulk.test')]
    for (const id of ids) await untilStatus(id, 'FAILED')
    status = 200
    const matching = ['bulk', 'start', '-t', 'bulk.test', '--from', '2026-01-01T00:00:00Z']
    const shown = async () => (await read<{ count: number }>(...matching)).count
    await until(async () => (await shown()) === ids.length, { what: 'history has them' })
    expect((await run(...matching)).stdout).toContain('2 jobs would be queued again')
    const bulk = await read<{ id: string }>(...matching, '--yes', '--rate', '100', '--reason', 'mended')
    expect(bulk).toMatchObject({ status: 'COMPLETED', total: 2, done: 2, skipped: [] })
    for (const id of ids) await untilStatus(id, 'DELIVERED')
    expect((await run('bulk', 'show', bulk.id)).stdout).toBe(`${bulk.id}  COMPLETED: 2 of 2 done.\n`)
    expect(await run('bulk', 'cancel', bulk.id)).toMatchObject({ code: 0 })
    const list = async (...filter: string[]) =>
      (await read<{ jobs: Job[] }>('jobs', '-t', 'bulk.test', ...filter)).jobs.map(({ id }) => id)
    expect(await list('--text', 'one', '--destination', 'default')).toEqual([ids[0]])
    expect(await list('--from', '2026-01-01T00:00:00Z')).toEqual(ids.toReversed())
    expect(await list('--to', '2026-01-01T00:00:00Z')).toEqual([])
    expect(await run('bulk', 'show', 'bulk_none')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('BULK_NOT_FOUND'),
    })
  })

  test('tenants are made, listed, given other tokens, and stopped; a token is shown where it is made alone', async () => {
    const made = await run('tenant', 'create', '12.ABC.345/01DE-35', '--name', 'Ação')
    const token = /^Token {2}(gnt_\S+)$/m.exec(made.stdout)?.[1] ?? ''
    const asTenant = { ...here, env: { ...here.env, GANCHO_TOKEN: token } }
    expect((await gancho(['send'], { ...asTenant, stdin: 'hello' })).code).toBe(0)
    const rotated = await read<{ token: string }>('tenant', 'rotate', '12ABC34501DE35', '--overlap', '60')
    expect(rotated.token).not.toBe(token)
    const all = await run('tenant', 'list')
    expect(all.stdout).toMatch(/^11222333000181 +Development +yes .*\n12ABC34501DE35 +Ação +yes /m)
    const stopped = await run('tenant', 'deactivate', '12ABC34501DE35')
    expect(stopped.stdout).toBe('Tenant 12ABC34501DE35 Ação is not active.\n')
    const refused = await gancho(['send', '--json'], { ...asTenant, stdin: 'hello' })
    expect(refused.code).toBe(1)
    expect(JSON.parse(refused.stderr).error).toMatchObject({
      code: 'TENANT_INACTIVE',
      requestId: expect.any(String),
    })
    const again = await run('tenant', 'activate', '12ABC34501DE35')
    expect(again.stdout).toBe('Tenant 12ABC34501DE35 Ação is active.\n')
    const shown = [all, stopped, again, refused].map(({ stdout, stderr }) => stdout + stderr).join('')
    expect(shown).not.toMatch(/gnt_|gadm_/)
  })

  test('the doctor finds nothing to mend', async () => {
    type Report = { ok: boolean; findings: { status: string; name: string }[] }
    const names = ['Environment', 'Redis version', 'Redis persistence', 'Redis eviction', 'Redis memory']
    const fine = expect.arrayContaining([...names, 'Clock', 'Database', 'Destination', 'Secrets', 'Gancho'])
    // A busy machine may have Redis too slow, and a clock read late, at one look.
    const look = async () => {
      const { ok, findings } = await read<Report>('doctor')
      return { ok, fine: findings.flatMap(({ status, name }) => (status === 'ok' ? name : [])) }
    }
    await expect.poll(look).toEqual({ ok: true, fine })
  })
})

test('an event that is no JSON is taken as it is, and said to be none', async () => {
  const file = join(folder.path, 'broken.json')
  await writeFile(file, '{"order":')
  const sent = await run('send', file)
  expect(sent).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Accepted as ID-\d+\.\n$/) })
  expect(sent.stderr).toMatch(/not JSON/)
})

test('the version is that of the package', async () => {
  expect(await run('--version')).toEqual({ code: 0, stdout: `${packageJson.version}\n`, stderr: '' })
})

describe('a command that does not work out', () => {
  test.each([
    ['a wrong option', ['jobs', '--colour'], 2, /unknown option '--colour'/],
    ['a wrong value', ['jobs', '-n', '0'], 2, /whole number from 1 to 100/],
    ['no file', ['send', 'nowhere.json'], 2, /nowhere\.json cannot be read \(ENOENT\)/],
    ['an address that is none', ['jobs', '--url', 'localhost:4000'], 2, /must be http/],
    ['a job that is not there', ['job', 'ID-999'], 1, /There is no job ID-999\. \(JOB_NOT_FOUND\)/],
    ['a queue that is not there', ['reprocess', '-q', 'no', '--all'], 1, /QUEUE_NOT_FOUND, request \S+\)/],
    ['nobody there', ['jobs', '--url', 'http://127.0.0.1:9'], 3, /cannot be reached at http:\/\/127/],
  ])('says so with its exit code: %s', async (_what, args, code, problem) => {
    const [ran, forPrograms] = await Promise.all([run(...args), run(...args, '--json')])
    expect({ ...ran, stderr: '' }).toEqual({ code, stdout: '', stderr: '' })
    expect(ran.stderr).toMatch(problem)
    expect(forPrograms.code).toBe(code)
    expect(JSON.parse(forPrograms.stderr).error).toEqual(
      expect.objectContaining({
        code: expect.stringMatching(/^[A-Z_]+$/),
        message: expect.stringMatching(/\w/),
      }),
    )
  })
})
