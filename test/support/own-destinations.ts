import { type clientOf, until } from './client.ts'

type Client = ReturnType<typeof clientOf>

/** Type of an event that tests send to see that a gateway knows all destinations. */
export const probe = 'probe'

/**
 * Makes destinations of the client's own, each of which takes events of the type that it is named after, and waits until the gateway
 * routes by all of them.
 */
export async function makeDestinations(client: Client, inputs: Record<string, object>): Promise<void> {
  const mutation = `mutation ($input: CreateDestinationInput!) {
    createDestination(input: $input) { destination { id } } }`
  for (const [name, input] of Object.entries(inputs))
    await client.graphql(mutation, { input: { name, eventTypes: [name, probe], ...input } })
  const isKnown = async () => {
    const { body } = await client.post({}, { 'x-event-type': probe })
    return (body.ids as string[]).length === Object.keys(inputs).length
  }
  await until(isKnown, { what: 'the gateway knows all destinations' })
}
