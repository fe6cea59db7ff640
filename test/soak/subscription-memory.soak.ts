import { expectSubscriptionsToLeaveNoMemory } from '../support/subscription-memory.ts'

expectSubscriptionsToLeaveNoMemory(20, 100, 600_000)
