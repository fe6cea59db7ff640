#!/usr/bin/env node
// The command line, `npx gancho`, on a Node that runs TypeScript by itself.
process.argv.splice(2, 0, 'src/cli/main.ts')
await import('./run.mjs')
