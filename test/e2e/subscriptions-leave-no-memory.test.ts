import { expectSubscriptionsToLeaveNoMemory } from '../support/subscription-memory.ts'

expectSubscriptionsToLeaveNoMemory(4, 1_000, 180_000)
