import { readFileSync } from 'node:fs'

/** The parts of NiFi's flow definition (VersionedFlowSnapshot) that the tests look at. */
export type NifiFlow = {
  flowContents: {
    identifier: string
    parameterContextName: string
    processors: Processor[]
    connections: Connection[]
  } & Record<string, unknown>
  parameterContexts: Record<string, { name: string; parameters: Parameter[] }>
  flowEncodingVersion: string
}
type Component = { identifier: string; instanceIdentifier: string; groupIdentifier: string; name: string }
export type Processor = Component & {
  type: string
  properties: Record<string, string>
  propertyDescriptors: Record<string, { name: string; sensitive: boolean }>
  autoTerminatedRelationships: string[]
}
type End = { id: string; type: string; groupId: string; name: string; instanceIdentifier: string }
export type Connection = Component & { source: End; destination: End; selectedRelationships: string[] }
type Parameter = { name: string; sensitive: boolean; value?: string }

export const readNifiFlow = (name: string): NifiFlow =>
  JSON.parse(readFileSync(new URL(`../../docs/nifi/${name}`, import.meta.url), 'utf8')) as NifiFlow

/**
 * A text with what NiFi puts in the place of `#{parameter}` and `${'attribute'}`, the functions replaceNull and escapeJson included:
 * as much of its Expression Language as the flow uses, and an error for anything else.
 */
export function evaluated(
  text: string,
  parameters: Record<string, string>,
  attributes: Record<string, string>,
): string {
  return text
    .replace(/#\{([\w.]+)\}/g, (_all, name: string) => known(parameters, name))
    .replace(/\$\{'([^']+)'((?::\w+\([^()]*\))*)\}/g, (_all, name: string, calls: string) =>
      [...calls.matchAll(/:(\w+)\(([^()]*)\)/g)].reduce<string>(
        (value, [, call, argument]) => called(call, value, argument ?? ''),
        attributes[name] ?? '',
      ),
    )
}

function known(parameters: Record<string, string>, name: string): string {
  const value = parameters[name]
  if (value === undefined) throw new Error(`no parameter ${name}`)
  return value
}

function called(name: string | undefined, value: string, argument: string): string {
  if (name === 'replaceNull') return value === '' ? argument.slice(1, -1) : value
  if (name === 'escapeJson') return JSON.stringify(value).slice(1, -1)
  throw new Error(`the function ${name} is not known here`)
}
