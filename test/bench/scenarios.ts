import type { Scenario } from './harness/scenario.ts'
import { awaitedReply } from './scenarios/awaited-reply.ts'
import { burst } from './scenarios/burst.ts'
import { cost } from './scenarios/cost.ts'
import { drain } from './scenarios/drain.ts'
import { endToEnd } from './scenarios/end-to-end.ts'
import { graphqlPage } from './scenarios/graphql-page.ts'
import { growth } from './scenarios/growth.ts'
import { historyPages } from './scenarios/history-pages.ts'
import { intake } from './scenarios/intake.ts'
import { isolation } from './scenarios/isolation.ts'
import { liveStream } from './scenarios/live-stream.ts'
import { start } from './scenarios/start.ts'
import { users } from './scenarios/users.ts'

/** Everything that `npm run bench` measures, in this order. */
export const scenarios: readonly Scenario[] = [
  intake,
  endToEnd,
  drain,
  burst,
  awaitedReply,
  historyPages,
  isolation,
  graphqlPage,
  growth,
  liveStream,
  users,
  start,
  cost,
]
