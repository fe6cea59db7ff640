import type { CodegenConfig } from '@graphql-codegen/cli'

/** Types for the documents that tests send; written to test/gql, which is not committed. */
export default {
  schema: 'schema.graphql',
  documents: ['test/integration/graphql-*.test.ts'],
  generates: {
    'test/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        useTypeImports: true,
        importExtension: '.ts',
        emitLegacyCommonJSImports: false,
        strictScalars: true,
        scalars: {
          ID: { input: 'string', output: 'string' },
          DateTime: 'string',
          CNPJ: 'string',
          Cursor: 'string',
          JSON: { input: 'unknown', output: 'unknown' },
        },
      },
    },
  },
} satisfies CodegenConfig
