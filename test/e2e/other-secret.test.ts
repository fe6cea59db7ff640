import { afterAll, beforeAll, expect, test } from 'vitest'
import { adminToken, type GanchoProcess, startGancho } from '../support/gancho.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const older = 'a secret of the days before'
const newer = 'a secret of these days'
const warning = 'ENCRYPTION_SECRET opens none of the stored tokens'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let gancho: GanchoProcess

const start = async (secrets: string) => {
  gancho = await startGancho({
    env: { DATA_DIR: folder.path, DESTINATION_URL: 'http://127.0.0.1:9', ENCRYPTION_SECRET: secrets },
  })
  return gancho
}
const shownToken = ({ output }: GanchoProcess) => /Tenant token\s+(gnt_\S+)/.exec(output())?.[1]

beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(async () => {
  await gancho.kill9()
  await folder.remove()
})

test('who starts with a secret that opens no stored token is told, and with the one of before behind it served', async () => {
  const first = await start(older)
  const token = shownToken(first)
  expect(token).toBeDefined()
  await first.stop()
  expect(first.output()).not.toContain(warning)
  expect(first.output(), 'an administrator’s own token').not.toContain(adminToken)

  const wrong = await start(newer)
  await wrong.stop()
  expect(wrong.output()).toContain(warning)
  expect(shownToken(wrong)).toBeUndefined()

  const both = await start(`${newer},${older}`)
  expect(shownToken(both)).toBe(token)
  await both.stop()
  expect(both.output()).not.toContain(warning)
})
