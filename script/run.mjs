// Starts a tool or a TypeScript file on a Node that runs TypeScript by itself.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { delimiter, dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode } from './find-node.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isWindows = process.platform === 'win32'

function fail(message) {
  console.error(message)
  process.exit(1)
}

function binaryOf(carrier) {
  try {
    const packageJson = createRequire(import.meta.url).resolve(`${carrier}/package.json`)
    const binary = resolve(dirname(packageJson), 'bin', isWindows ? 'node.exe' : 'node')
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}

/**
 * The whole environment, with the directory of that Node first on the PATH (which Windows calls Path). Compiled modules are kept for the
 * next start, which takes a third less time then; Node goes on without where it cannot write.
 */
function environment(directory) {
  const name = Object.keys(process.env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH'
  return {
    NODE_COMPILE_CACHE: resolve(root, 'node_modules', '.cache', 'compiled'),
    ...process.env,
    [name]: `${directory}${delimiter}${process.env[name] ?? ''}`,
  }
}

const [command, ...args] = process.argv.slice(2)
if (!command) fail('usage: node script/run.mjs <file.ts | tool> [arguments]')
if (!existsSync(resolve(root, 'node_modules'))) fail('Nothing is installed yet: run "npm ci" first.')
const { node, problem } = findNode({
  version: process.versions.node,
  platform: process.platform,
  arch: process.arch,
  execPath: process.execPath,
  binaryOf,
  runs: (binary) => spawnSync(binary, ['--version']).status === 0,
})
if (problem) fail(problem)

const isFile = /\.(ts|mjs|js)$/.test(command)
const target = isFile
  ? resolve(root, command)
  : resolve(root, 'node_modules', '.bin', isWindows ? `${command}.cmd` : command)
if (!existsSync(target)) fail(`There is no ${target}${isFile ? '' : ': run "npm ci" first'}.`)
const child = spawn(
  isFile ? node : target,
  isFile ? ['--disable-warning=ExperimentalWarning', target, ...args] : args,
  {
    stdio: 'inherit',
    env: environment(dirname(node)),
    // Node starts .cmd files through a shell only (CVE-2024-27980).
    shell: isWindows && !isFile,
  },
)
// A terminal sends Ctrl-C to the whole group, so the child has it already; what reaches the launcher alone is passed on.
const atTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY)
process.on('SIGINT', () => atTerminal || child.kill('SIGINT'))
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal))
// npm ends at SIGTERM and takes its shell along, but not what that runs.
if (process.env.npm_lifecycle_event) {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, 500)
  watch.unref()
}
child.on('error', (error) => fail(`Cannot start ${target}: ${error.message}`))
child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)))
