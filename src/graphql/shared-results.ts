import { createHash } from 'node:crypto'
import { type DocumentNode, Kind, visit } from 'graphql'
import type { Principal } from '../tenants/principal.ts'
import type { OperationParams } from './operation-stream.ts'

/**
 * Same for subscriptions whose results are the same from any position on: same document, operation, variables but the one that is
 * given to `after`, and same view of what there is.
 */
export function sharingKey(params: OperationParams, document: DocumentNode, principal: Principal): string {
  const { query, operationName, variables } = params
  const position = positionVariable(document)
  const others = Object.entries(variables ?? {}).filter(([name]) => name !== position)
  const scope = principal.kind === 'admin' ? principal.access : principal.tenant.cnpj
  const facts = [
    query,
    operationName ?? null,
    others.sort(([a], [b]) => (a < b ? -1 : 1)),
    principal.kind,
    scope,
  ]
  return createHash('sha256').update(JSON.stringify(facts)).digest('base64')
}

/** Whether results of this document tell more than the journal does. */
export function readsJobs(document: DocumentNode): boolean {
  let found = false
  visit(document, {
    Field({ name }) {
      if (name.value === 'job') found = true
    },
  })
  return found
}

/** The variable that is given to `after` of a field of the name `jobEvents` and used nowhere else. */
function positionVariable(document: DocumentNode): string | undefined {
  const uses = new Map<string, number>()
  let name: string | undefined
  visit(document, {
    VariableDefinition: () => false,
    Variable({ name: { value } }) {
      uses.set(value, (uses.get(value) ?? 0) + 1)
    },
    Field({ name: field, arguments: given }) {
      if (field.value !== 'jobEvents') return
      const after = given?.find((argument) => argument.name.value === 'after')?.value
      if (after?.kind === Kind.VARIABLE) name = after.name.value
    },
  })
  return name !== undefined && uses.get(name) === 1 ? name : undefined
}
