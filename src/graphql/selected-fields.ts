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
  let fields = fieldsOf(fieldNodes, fragments)
  for (const name of path)
    fields = fieldsOf(
      fields.filter((field) => field.name.value === name),
      fragments,
    )
  return new Set(fields.map(({ name }) => name.value))
}

type Selecting = { selectionSet?: { selections: readonly SelectionNode[] } | undefined }

/** Each fragment is gone through once: of forty that spread the next one twice there would be no end. */
function fieldsOf(selecting: readonly Selecting[], fragments: Fragments): FieldNode[] {
  const fields: FieldNode[] = []
  const spread = new Set<string>()
  const collect = ({ selectionSet }: Selecting) => {
    for (const selection of selectionSet?.selections ?? []) {
      if (selection.kind === 'Field') fields.push(selection)
      else if (selection.kind === 'InlineFragment') collect(selection)
      else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value)
        collect(fragments[selection.name.value] ?? {})
      }
    }
  }
  for (const each of selecting) collect(each)
  return fields
}
