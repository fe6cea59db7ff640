import { createSourceEventStream } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { GanchoError } from '../errors.ts'

/** Stands in the context of whoever wants the source of a subscription, to make the results itself. */
export const wantsSource = Symbol('wantsSource')

/**
 * Lets a subscription be started without a result being made of each of its events, and refuses one that is answered otherwise than
 * as a stream.
 */
export const subscriptionSources: Plugin<{ [wantsSource]?: boolean }> = {
  onSubscribe({ args, setSubscribeFn }) {
    if (!args.contextValue[wantsSource])
      throw new GanchoError('NOT_ACCEPTABLE', 'Subscribe with Accept: text/event-stream, or by WebSocket.')
    setSubscribeFn(createSourceEventStream)
  },
}
