import { fileURLToPath } from 'node:url'
import { clientOf } from '../../support/client.ts'
import { adminToken, sharedEnvironment } from '../../support/gancho.ts'
import { noEnvFile } from '../../support/processes.ts'
import { startTestRedis } from '../../support/redis.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { startBaseline } from '../harness/child.ts'
import { untilAccepted, untilFirstAccepted, untilPrinted } from '../harness/first-accept.ts'
import type { Contestant, Sample, Scenario } from '../harness/scenario.ts'

const names = {
  first: 'npm start, empty folder',
  npm: 'npm start, again',
  node: 'node src/main.ts, again',
  redis: 'node src/main.ts, its Redis running',
  modules: 'its modules read, nothing started',
  usual: 'Express and BullMQ, its Redis running',
  bare: 'bare node:http',
}
const root = fileURLToPath(new URL('../../../', import.meta.url))
const node = [process.execPath, '--disable-warning=ExperimentalWarning']
const listening = /Health\s+(http:\/\/[^/]+)\/health/

export const start: Scenario = {
  name: 'start',
  title: 'Start: from the command to the first event that is accepted, and what of that takes the time',
  figures: [
    { name: 'listeningMs', title: 'ready, ms', digits: 0 },
    { name: 'acceptedMs', title: 'first 202, ms', digits: 0 },
  ],
  goals: [],
  async open() {
    const npm = ['npm', '--prefix', root, 'start']
    return [
      fresh(npm),
      await again(names.npm, npm),
      await again(names.node, [...node, `${root}src/main.ts`]),
      await overRedis(),
      modules(),
      await usual(),
      baseline(names.bare, 'bare-http.ts'),
    ]
  },
}

const environment = (dataDir: string) => ({
  ...{
    PORT: '0',
    DATA_DIR: dataDir,
    ADMIN_TOKEN: adminToken,
    LOG_LEVEL: 'error',
    HOME: process.env.HOME ?? '/',
  },
  ...noEnvFile,
})
/** Another one than the tenant that a developer's machine has from the start. */
const newToken = (origin: string) => clientOf({ origin }).newTenant('12ABC34501DE35')

/** Makes its tenant when it starts for the first time; later it is there. */
function knownToken() {
  let token: string | undefined
  return async (origin: string) => {
    token ??= await newToken(origin)
    return token
  }
}

function fresh(command: readonly string[]): Contestant {
  const measure = async (): Promise<Sample> => {
    const folder = await temporaryFolder()
    try {
      return await untilFirstAccepted({ command, env: environment(folder.path), listening, token: newToken })
    } finally {
      await folder.remove()
    }
  }
  return { name: names.first, baseline: false, measure, close: async () => {} }
}

async function again(name: string, command: readonly string[]): Promise<Contestant> {
  const folder = await temporaryFolder()
  const starting = { command, env: environment(folder.path), listening, token: knownToken() }
  return { name, baseline: false, measure: () => untilFirstAccepted(starting), close: folder.remove }
}

async function overRedis(): Promise<Contestant> {
  const redis = await startTestRedis()
  const { env, dataDir, remove } = sharedEnvironment(redis.url, 'http://127.0.0.1:9/')
  const starting = {
    command: [...node, `${root}src/main.ts`],
    env: { ...environment(dataDir), ...env, LOG_LEVEL: 'error' },
    ...{ listening, token: knownToken() },
  }
  const close = async () => {
    await redis.stop()
    await remove()
  }
  return { name: names.redis, baseline: false, measure: () => untilFirstAccepted(starting), close }
}

function modules(): Contestant {
  const program = `await import('${root}src/app.ts'); console.log('read')`
  const command = [...node, '--input-type=module', '--eval', program]
  const measure = async () => ({ listeningMs: await untilPrinted(command, /read/) })
  return { name: names.modules, baseline: false, measure, close: async () => {} }
}

async function usual(): Promise<Contestant> {
  const redis = await startTestRedis()
  return { ...baseline(names.usual, 'usual-stack.ts', [redis.url]), close: redis.stop }
}

function baseline(name: string, file: string, args: readonly string[] = []): Contestant {
  const measure = async (): Promise<Sample> => {
    const since = performance.now()
    const child = await startBaseline(file, args)
    const listeningMs = performance.now() - since
    await untilAccepted(child.origin, 'usual-token')
    const acceptedMs = performance.now() - since
    await child.close()
    return { listeningMs, acceptedMs }
  }
  return { name, baseline: true, measure, close: async () => {} }
}
