import { type FragmentDefinitionNode, getOperationAST, type OperationDefinitionNode, parse } from 'graphql'
import { expect, test } from 'vitest'
import { selectedFields } from '../../src/graphql/selected-fields.ts'

/** What is selected at the path, and how often each fragment was looked up for that. */
function selectedOf(text: string, ...path: string[]) {
  const document = parse(text)
  const { selectionSet } = getOperationAST(document) as OperationDefinitionNode
  const known = document.definitions.filter((one) => one.kind === 'FragmentDefinition')
  const byName: Record<string, FragmentDefinitionNode> = Object.fromEntries(
    known.map((fragment) => [fragment.name.value, fragment]),
  )
  const looked: string[] = []
  const fragments = new Proxy(byName, {
    get(target, name) {
      looked.push(String(name))
      return target[String(name)]
    },
  })
  const fieldNodes = selectionSet.selections.filter((one) => one.kind === 'Field')
  return { fields: [...selectedFields({ fieldNodes, fragments }, path)], looked }
}

test('all ways to select a field count, at every place where they may stand', () => {
  const text = `{ jobs { ...Page edges @include(if: false) { node { mine: id } } edges { ... { node { status } } } } }
    fragment Page on JobConnection { edges { node { ...Times ... on Job { tenant { name } } } } totalCount }
    fragment Times on Job { receivedAt tenant { cnpj } }`
  expect(selectedOf(text).fields.toSorted()).toEqual(['edges', 'totalCount'])
  const ofNode = ['id', 'receivedAt', 'status', 'tenant']
  expect(selectedOf(text, 'edges', 'node').fields.toSorted()).toEqual(ofNode)
  expect(selectedOf(text, 'edges', 'node', 'tenant').fields.toSorted()).toEqual(['cnpj', 'name'])
  expect(selectedOf(text, 'edges', 'node', 'attempts').fields).toEqual([])
})

test('fragments that spread each other many times are gone through once each', () => {
  const levels = [0, 1, 2, 3, 4, 5, 6, 7]
  const doubled = levels.map((level) => `fragment F${level} on Job { ...F${level + 1} ...F${level + 1} }`)
  const text = `{ jobs(first: 0) { edges { node { ...F0 } } } } ${doubled.join(' ')} fragment F8 on Job { id }`
  const { fields, looked } = selectedOf(text, 'edges', 'node')
  expect(fields).toEqual(['id'])
  expect(looked).toEqual(['F0', 'F1', 'F2', 'F3', 'F4', 'F5', 'F6', 'F7', 'F8'])
})
