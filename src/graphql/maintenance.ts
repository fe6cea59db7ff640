import { lastMaintenance, type MaintenanceRun } from '../history/maintenance.ts'
import { builder } from './builder.ts'

const MaintenanceRunRef = builder.objectRef<MaintenanceRun>('MaintenanceRun').implement({
  description: 'What a run of the daily maintenance removed, being older than the retention time.',
  fields: (t) => ({
    startedAt: t.expose('startedAt', { type: 'DateTime' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime' }),
    removedJobs: t.exposeInt('removedJobs'),
    removedTokens: t.exposeInt('removedTokens', { description: 'Tokens that had ended.' }),
    removedErrorEntries: t.exposeInt('removedErrorEntries'),
    trimmedJournalEntries: t.exposeInt('trimmedJournalEntries'),
  }),
})

builder.queryField('maintenance', (t) =>
  t.field({
    type: MaintenanceRunRef,
    nullable: true,
    authScopes: { admin: true },
    description: 'The last run; null before the first.',
    resolve: (_root, _args, { services }) => lastMaintenance(services.redis),
  }),
)
