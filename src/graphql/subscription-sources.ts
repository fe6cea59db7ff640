import { createSourceEventStream } from 'graphql'
import type { Plugin } from 'graphql-yoga'

/** Stands in the context of whoever wants the source of a subscription, to make the results itself. */
export const wantsSource = Symbol('wantsSource')

/** Lets a subscription be started without a result being made of each of its events. */
export const subscriptionSources: Plugin<{ [wantsSource]?: boolean }> = {
  onSubscribe({ args, setSubscribeFn }) {
    if (args.contextValue[wantsSource]) setSubscribeFn(createSourceEventStream)
  },
}
