export function findNode(caller: {
  version: string
  platform: string
  arch: string
  execPath: string
  binaryOf: (carrier: string) => string | undefined
  runs: (binary: string) => boolean
}): { node: string; problem?: undefined } | { node?: undefined; problem: string }
