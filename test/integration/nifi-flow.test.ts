import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deliveryHeaders } from '../../src/delivery/delivery-headers.ts'
import { type FailedJobs, openFailedJobs } from '../support/failed-jobs.ts'
import { evaluated, readNifiFlow } from '../support/nifi-flow.ts'

const standard = 'org.apache.nifi.processors.standard.'
/** Relationships that NiFi's processors have, and their properties by the names that a flow definition uses (NiFi 2). */
const known: Record<string, { relationships: string[]; properties: string[]; takesOthers?: true }> = {
  ListenHTTP: {
    relationships: ['success'],
    properties: ['Base Path', 'Listening Port', 'HTTP Headers to receive as Attributes (Regex)'],
  },
  EvaluateJsonPath: {
    relationships: ['failure', 'matched', 'unmatched'],
    properties: ['Destination', 'Return Type'],
    takesOthers: true,
  },
  ReplaceText: {
    relationships: ['failure', 'success'],
    properties: ['Replacement Strategy', 'Replacement Value', 'Evaluation Mode', 'Character Set'],
  },
  InvokeHTTP: {
    relationships: ['Failure', 'No Retry', 'Original', 'Response', 'Retry'],
    properties: ['HTTP Method', 'HTTP URL', 'Request Content-Type'],
    takesOthers: true,
  },
  LogAttribute: { relationships: ['success'], properties: ['Log Level'] },
}
/** What two properties were called before NiFi 2, where an unknown name would become a header. */
const before2: Record<string, string> = { 'HTTP URL': 'Remote URL', 'Request Content-Type': 'Content-Type' }

const files = [
  ['gancho-flow.json', (name: string) => name],
  ['gancho-flow-1.x.json', (name: string) => before2[name] ?? name],
] as const

describe.each(files)('%s', (file, nameIn) => {
  const flow = readNifiFlow(file)
  const { processors, connections, identifier } = flow.flowContents
  const kindOf = (type: string) => type.slice(standard.length)
  const one = (kind: string) => {
    const found = processors.filter(({ type }) => type === standard + kind)
    expect(found).toHaveLength(1)
    return found[0] as (typeof processors)[number]
  }

  test('has ids of its own for everything, all of it in the one group', () => {
    const parts = [...processors, ...connections]
    const ids = parts.flatMap((part) => [part.identifier, part.instanceIdentifier])
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(new Set(parts.map(({ groupIdentifier }) => groupIdentifier))).toEqual(new Set([identifier]))
  })

  test('connects processors that are there, by relationships that they have', () => {
    for (const { source, destination, selectedRelationships } of connections) {
      for (const end of [source, destination]) {
        const { name, instanceIdentifier } = processors.find((one) => one.identifier === end.id) ?? {}
        expect(end).toMatchObject({ type: 'PROCESSOR', groupId: identifier, name, instanceIdentifier })
      }
      const type = processors.find((one) => one.identifier === source.id)?.type ?? ''
      expect(known[kindOf(type)]?.relationships).toEqual(expect.arrayContaining(selectedRelationships))
    }
  })

  test('leaves no relationship open, and ends none that is connected', () => {
    for (const { identifier: id, type, autoTerminatedRelationships } of processors) {
      const connected = connections
        .filter(({ source }) => source.id === id)
        .flatMap(({ selectedRelationships }) => selectedRelationships)
      const all = [...connected, ...autoTerminatedRelationships].toSorted()
      expect(all).toEqual(known[kindOf(type)]?.relationships)
    }
  })

  test('names the properties as NiFi does, each with its descriptor', () => {
    for (const { type, properties, propertyDescriptors } of processors) {
      const { properties: expected = [], takesOthers } = known[kindOf(type)] ?? {}
      const names = Object.keys(properties)
      expect(names).toEqual(expect.arrayContaining(expected.map(nameIn)))
      if (!takesOthers) expect(names.toSorted()).toEqual(expected.map(nameIn).toSorted())
      expect(Object.keys(propertyDescriptors)).toEqual(names)
    }
  })

  test('uses the parameters that it brings along, and brings no secret', () => {
    const context = flow.parameterContexts[flow.flowContents.parameterContextName]
    const texts = processors.flatMap(({ properties }) => Object.values(properties)).join(' ')
    const used = new Set([...texts.matchAll(/#\{([^}]+)\}/g)].map(([, name]) => name))
    expect(used).toEqual(new Set(context?.parameters.map(({ name }) => name)))
    const secret = context?.parameters.find(({ sensitive }) => sensitive)
    expect(secret).toMatchObject({ name: 'gancho.authorization' })
    expect(secret).not.toHaveProperty('value')
    // A sensitive property holds one reference and nothing else.
    expect(one('InvokeHTTP').properties.Authorization).toBe('#{gancho.authorization}')
    expect(one('InvokeHTTP').propertyDescriptors.Authorization?.sensitive).toBe(true)
  })

  test('keeps the headers of a delivery that its report and its own work need', () => {
    const pattern = one('ListenHTTP').properties['HTTP Headers to receive as Attributes (Regex)'] ?? ''
    const regex = new RegExp(`^(?:${pattern.replace('(?i)', '')})$`, 'i')
    const event = { contentType: 'text/csv', eventType: 'a', correlationId: 'b', headers: {} }
    const job = { n: 7, eventId: 'e', round: 2, ...event }
    const sent = Object.keys(deliveryHeaders(job, 3, 0, { id: 'd', headers: {} }))
    expect(sent.filter((name) => regex.test(name)).toSorted()).toEqual([
      'webhook-id',
      'x-correlation-id',
      'x-event-type',
      'x-gancho-attempt',
      'x-gancho-job',
      'x-gancho-round',
    ])
  })

  describe('reports to', () => {
    let world: FailedJobs
    beforeAll(async () => {
      world = await openFailedJobs()
    })
    afterAll(() => world.close())

    test('the route for failed jobs what that takes, and the job is delivered again', async () => {
      const values = Object.fromEntries(
        flow.parameterContexts.Gancho?.parameters.map(({ name, value = '' }) => [name, value]) ?? [],
      )
      const { properties } = one('InvokeHTTP')
      expect(properties['HTTP Method']).toBe('POST')
      expect(properties[nameIn('Request Content-Type')]).toBe('application/json')
      const url = evaluated(properties[nameIn('HTTP URL')] ?? '', values, {})
      expect(url).toBe('http://127.0.0.1:4000/nifi/falha/nifi')
      const template = one('ReplaceText').properties['Replacement Value'] ?? ''
      const report = async (more: Record<string, string>) => {
        const n = await world.accept()
        await world.steps.deliver(n)
        const attributes = { 'x-gancho-job': `ID-${n}`, 'x-gancho-round': '0', ...more }
        const answer = await world.post(JSON.parse(evaluated(template, values, attributes)))
        expect(answer).toEqual({
          status: 202,
          body: { queue: 'nifi', requeued: [`ID-${n}`], skipped: [] },
        })
        return (await world.job(n))?.reported
      }
      expect(await report({})).toBe('processing failed in NiFi')
      expect(await report({ 'gancho.error': 'no "column" \\ 7' })).toBe('no "column" \\ 7')
    })
  })
})
