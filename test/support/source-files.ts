import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'

/** What a source file says of its place in the whole. Paths are relative to the folder read, with `/`. */
export type SourceFile = {
  path: string
  lines: number
  /** Files of the same folder that it names: imports of values or types, dynamic ones, and those started as threads. */
  uses: string[]
  /** Packages and modules of Node that it names. */
  packages: string[]
  readsEnvironment: boolean
}

/** @throws Error when the text is not TypeScript */
export function readSource(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text)
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`)
  const uses = new Set<string>()
  const packages = new Set<string>()
  let readsEnvironment = false
  new Visitor({
    ImportDeclaration({ source }) {
      if (!source.value.startsWith('.')) packages.add(source.value)
    },
    Literal({ value }) {
      if (typeof value !== 'string') return
      if (/^\.\.?\/.*\.ts$/.test(value)) uses.add(posix.join(posix.dirname(path), value))
      if (/^(node:)?process$/.test(value)) readsEnvironment = true
    },
    MemberExpression({ object, property }) {
      if (object.type === 'Identifier' && object.name === 'process' && nameOf(property) === 'env')
        readsEnvironment = true
    },
    VariableDeclarator({ id, init }) {
      if (id.type === 'ObjectPattern' && init?.type === 'Identifier' && init.name === 'process')
        readsEnvironment = true
    },
  }).visit(program)
  return {
    path,
    lines: text.trimEnd().split('\n').length,
    uses: [...uses],
    packages: [...packages],
    readsEnvironment,
  }
}

const nameOf = (property: { type: string; name?: unknown; value?: unknown }) =>
  property.name ?? property.value

/** Every TypeScript file below a folder. */
export function readSources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readSource(path.split(sep).join('/'), readFileSync(join(folder, path), 'utf8')))
}

/** One cycle of files that use each other, first and last the same, or null. */
export function findCycle(files: readonly SourceFile[]): string[] | null {
  const usesOf = new Map(files.map((file) => [file.path, file.uses]))
  const done = new Set<string>()
  const follow = (path: string, trail: readonly string[]): string[] | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return null
    for (const next of usesOf.get(path) ?? []) {
      const cycle = follow(next, [...trail, path])
      if (cycle) return cycle
    }
    done.add(path)
    return null
  }
  for (const { path } of files) {
    const cycle = follow(path, [])
    if (cycle) return cycle
  }
  return null
}
