import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'

/** Where Debian's libh2-java puts it. */
const jar = '/usr/share/java/h2.jar'

/** Why there is no H2 here, or undefined where there is one. */
export const missingH2: string | undefined = !existsSync(jar)
  ? `${jar} (Debian's package libh2-java) is missing`
  : spawnSync('java', ['-version']).error && 'there is no java on the PATH'

if (missingH2)
  console.warn(`The SQL for OracleDB is not run on H2, because ${missingH2}: its tests are skipped.`)

export type H2Server = { port: number; stop(): Promise<void> }

/** H2 behind the protocol of PostgreSQL, on the loopback interface. Databases named `mem:…` are made when they are named. */
export async function startH2(): Promise<H2Server> {
  const options = ['-Dh2.bindAddress=127.0.0.1', '-Xmx256m', '-XX:TieredStopAtLevel=1']
  const server = ['org.h2.tools.Server', '-pg', '-pgPort', '0', '-ifNotExists']
  const child = spawn('java', [...options, '-cp', jar, ...server], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const port = await Promise.race([
    portOf(child.stdout),
    exited.then(([code]) => {
      throw new Error(`H2 ended with ${code}.`)
    }),
  ])
  return {
    port,
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function portOf(output: AsyncIterable<Buffer>): Promise<number> {
  let text = ''
  for await (const chunk of output) {
    text += chunk
    const port = /:\/\/\S+:(\d+)/.exec(text)?.[1]
    if (port) return Number(port)
  }
  throw new Error(`H2 named no port: ${text}`)
}
