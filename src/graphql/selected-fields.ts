import type { FieldNode, GraphQLResolveInfo, SelectionNode } from 'graphql'

type Fragments = GraphQLResolveInfo['fragments']

/**
 * Names of the fields that an operation selects at `path` below the field that is being resolved, those of fragments included. What
 * `@skip` and `@include` leave out counts as selected.
 */
export function selectedFields(
  { fieldNodes, fragments }: Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>,
  path: readonly string[],
): Set<string> {
  let fields: readonly FieldNode[] = fieldNodes.flatMap((field) => fieldsOf(field, fragments))
  for (const name of path)
    fields = fields
      .filter((field) => field.name.value === name)
      .flatMap((field) => fieldsOf(field, fragments))
  return new Set(fields.map(({ name }) => name.value))
}

type Selecting = { selectionSet?: { selections: readonly SelectionNode[] } | undefined }

function fieldsOf({ selectionSet }: Selecting, fragments: Fragments): FieldNode[] {
  return (selectionSet?.selections ?? []).flatMap((selection) => {
    if (selection.kind === 'Field') return [selection]
    if (selection.kind === 'InlineFragment') return fieldsOf(selection, fragments)
    return fieldsOf(fragments[selection.name.value] ?? {}, fragments)
  })
}
