import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type clientOf, until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(root, 'docs/subscriptions.md'), 'utf8')
/** Those whose packages are here. */
const programs = ['event-source.mjs', 'fetch-stream.mjs', 'graphql-ws.mjs']

let fleet: Fleet
let gancho: GanchoProcess
let tenant: ReturnType<typeof clientOf>
let token: string
let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  folder = await temporaryFolder()
  fleet = await openFleet({ answer: (response) => response.end('ok') })
  gancho = await fleet.start('all')
  ;({ tenant, token } = await clientsOf(gancho))
  await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'))
  const files = page.matchAll(/^```js\n\/\/ file: ([\w-]+\.mjs)\n(.*?)^```$/gms)
  for (const [, name = '', text = ''] of files) await writeFile(join(folder.path, name), here(text))
})
afterAll(async () => {
  await fleet.close()
  await folder.remove()
})

/** As a reader would change it. */
const here = (text: string) =>
  text.replaceAll('http://127.0.0.1:4000', gancho.origin).replaceAll('gnt_…', token)

/** Runs it while events are posted, until it has shown one that was delivered. */
async function expectLive(command: string, args: string[], line: (id: string) => RegExp) {
  const child = spawn(command, args, {
    cwd: folder.path,
    env: { ...process.env, TOKEN: token, ADMIN_TOKEN: adminToken },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  try {
    const posted: string[] = []
    await until(
      async () => {
        posted.push(await tenant.postJob({ shown: true }))
        return posted.some((id) => line(id).test(output))
      },
      { what: 'a delivery' },
    ).catch((error) => expect.fail(`${error}\n${output}`))
  } finally {
    child.kill('SIGKILL')
  }
}

test.each(programs)('%s of docs/subscriptions.md shows statuses live', async (name) => {
  const args = ['--experimental-eventsource', '--disable-warning=ExperimentalWarning', name]
  await expectLive(process.execPath, args, (id) => new RegExp(`^${id} DELIVERED$`, 'm'))
})

const curlOf = (file: string) =>
  here(/^curl -N.*?[^\\]$/ms.exec(readFileSync(join(root, file), 'utf8'))?.[0] ?? 'no line to paste')

test.each(['docs/subscriptions.md', 'README.md'])('the curl line of %s shows statuses live', async (file) => {
  await expectLive(
    'bash',
    ['-c', `exec ${curlOf(file)}`],
    (id) => new RegExp(`^data: .*"jobId":"${id}","status":"DELIVERED"`, 'm'),
  )
})
