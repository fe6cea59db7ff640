import { type clientOf, until } from './client.ts'

type Client = ReturnType<typeof clientOf>
type Made = { createDestination: { destination: { id: string } } }

/** Type of an event that tests send to see that a gateway knows all destinations. */
export const probe = 'probe'

/**
 * Makes destinations of the client's own, each of which takes events of the type that it is named after, and waits until the gateway
 * routes by all of them.
 */
export async function makeDestinations(client: Client, inputs: Record<string, object>): Promise<void> {
  const mutation = `mutation ($input: CreateDestinationInput!) {
    createDestination(input: $input) { destination { id } } }`
  const made: string[] = []
  for (const [name, input] of Object.entries(inputs)) {
    const variables = { input: { name, eventTypes: [name, probe], ...input } }
    const { createDestination } = await client.graphql<Made>(mutation, variables)
    made.push(createDestination.destination.id)
  }
  const query = 'query ($id: ID!) { job(id: $id) { destinationId } }'
  const goesTo = async (id: string) =>
    (await client.graphql<{ job: { destinationId: string } }>(query, { id })).job.destinationId
  let routed: string[] = []
  const isKnown = async () => {
    const { body } = await client.postPatiently({}, { 'x-event-type': probe })
    // As many jobs may also be one for the environment's destination, from a gateway that has not heard of the tenant's yet.
    routed = await Promise.all((body.ids as string[]).map(goesTo))
    return String(routed.sort()) === String(made.sort())
  }
  await until(isKnown, { what: () => `an event goes to ${made}, the last one went to ${routed}` })
}
