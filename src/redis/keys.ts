/**
 * Every Redis key of Gancho. All but BullMQ's share one hash tag, because the accept and transition scripts touch several of them.
 *
 * | key | type | lives | owner |
 * |---|---|---|---|
 * | `seq` | string | for ever | accept scripts: the last job number |
 * | `epoch` | string | for ever | start-up: names this data set |
 * | `history` | string | for ever | start-up: id of the history database that belongs to this data set |
 * | `job:<n>` | hash | until finished and projected | accept, transition and forget scripts |
 * | `job:<n>:attempts` | list | as the record | transition scripts |
 * | `job:<n>:past` | string | 1 min | forget script: the last round of a record that is gone, unless that was its first |
 * | `due` | zset | for ever | transition scripts; score: when the sweeper should look at the job, in ms |
 * | `gate:<destination>` | hash | a week after its last change | transition scripts: what it has to know of a destination, and whether that is delivered to |
 * | `out:<destination>` | set | while jobs are out | transition scripts: jobs that are in BullMQ or being delivered |
 * | `active:<destination>` | zset | while jobs are delivered | transition scripts: those; score: end of the lease in ms |
 * | `backlog:<destination>:<cnpj>` | zset | while jobs are kept back | transition scripts: what a tenant has for a destination beyond what is out; score: place |
 * | `flows:<destination>` | zset | while jobs are kept back | transition scripts: tenants with a backlog; score: place, the next one first |
 * | `flowing` | set | for ever | transition scripts: destinations with a backlog |
 * | `kept` | hash | for ever | transition scripts: how many jobs of each queue are kept back |
 * | `kept-of` | hash | while jobs are kept back | transition scripts: how many each tenant has of them |
 * | `order:<destination>:<cnpj>:<hash>` | zset | until its jobs are over | accept and transition scripts: the unfinished jobs of an ordering key; score: place |
 * | `workers` | zset | 1 min after the last worker | pump: the processes that deliver; score: when they were last seen, in ms |
 * | `gate:<destination>:<10 s>` | hash | 70 s | transition scripts: how many of its attempts ended well and not |
 * | `gate:<destination>:probes` | zset | as the longest lease in it | transition scripts: jobs that try whether it works again, by the end of their leases |
 * | `breakers` | zset | for ever | transition scripts: destinations whose breaker is open, by since when |
 * | `operations` | stream | entries until told, 10,000 at most | transition scripts, destination service: what people are told of (delivery/operations.ts) |
 * | `operations:<cnpj>:<minute>` | string | 3 min | transition scripts: how many of a tenant's jobs failed for good |
 * | `inbox` | stream | entries until dispatched | accept scripts, dispatcher |
 * | `journal` | stream | trimmed | accept and transition scripts; trim script |
 * | `journal:flow:<10 s>` | hash | 2 min | accept and transition scripts: how many jobs came into each queue and left it |
 * | `trimmedTo` | string | for ever | trim script: id of the last entry removed |
 * | `projected` | string | for ever | projector: journal id up to which history is written and finished records are gone |
 * | `idempotency:<cnpj>:<hash>` | hash | `IDEMPOTENCY_TTL_SECONDS` | accept script |
 * | `rate:<cnpj>` | hash | until nothing of the burst is spent | accept script: what a tenant with a rate limit has spent |
 * | `await:<id>` | hash | deadline + `AWAITED_REPLY_TTL_SECONDS`, from a late reply on anew | await scripts, accept scripts: one awaited reply |
 * | `await-key:<cnpj>:<hash>` | string | as the record | await-open: the awaited reply of a caller's idempotency key |
 * | `await-of:<cnpj>:<upstream>:<hash>` | string | as the record | await-bind: the awaited reply of an upstream's external id |
 * | `await-open:<cnpj>` | zset | until the last deadline | await scripts: replies that are waited for, or being called for, by their end |
 * | `await-unbound:<cnpj>` | zset | 60 s after the last deadline | await scripts: those whose external id is not known, by the time until which offers are kept for them |
 * | `await-offer:<cnpj>:<upstream>:<hash>` | hash | 60 s | accept script: an event that came before its external id was known |
 * | `await-offers:<cnpj>` | zset | 60 s | accept script: the offers as `<bytes> <upstream>:<hash>`, by their end; 1,000 at most |
 * | `await-offer-bytes:<cnpj>` | string | 60 s | accept script: bytes in them; 8 MiB at most |
 * | `await-counts:<cnpj>` | hash | as the tenant's last record | await scripts: what came of its calls; no event is matched without it |
 * | `await-strays:<cnpj>` | list | 1 h | accept and await scripts: the last 100 events that looked like a reply, and answered nothing |
 * | `await-owner:<owner>` | string | 4 s | each gateway: says that it lives, and so do its calls |
 * | `streams:<cnpj>` | zset | as long as the longest lease in it | stream places: a tenant's subscriptions; score: end of the lease in ms |
 * | `ticket:<hash>` | string | `STREAM_TICKET_TTL_SECONDS` after its last use | stream tickets: whom a ticket stands for |
 * | `lease:<name>` | string | seconds | whoever holds that lease |
 * | `queues` | set | for ever | lanes: names of all queues that ever had a job or a destination |
 * | `paused` | hash | for ever | queue pauses: since when and by whom, by queue |
 * | `bulk:<id>` | hash | until it is over, then `RETENTION_DAYS` | bulk scripts: what a bulk is to do, and how far it is |
 * | `bulks` | zset | for ever | bulk scripts: ids of those that are not over, by when they were made, in ms |
 * | `maintenance` | hash | for ever | maintenance: its last run |
 */
const tag = '{gancho}'

export const keys = {
  /** The scripts append `gate:<destination>` and the rest of the table. */
  prefix: `${tag}:`,
  backlog: (destination: string, cnpj: string) => `${tag}:backlog:${destination}:${cnpj}`,
  /** The accept scripts append `<destination>:<cnpj>:<hash>`. */
  orderPrefix: `${tag}:order:`,
  order: (destination: string, cnpj: string, hash: string) => `${tag}:order:${destination}:${cnpj}:${hash}`,
  flowing: `${tag}:flowing`,
  kept: `${tag}:kept`,
  keptOf: `${tag}:kept-of`,
  workers: `${tag}:workers`,
  seq: `${tag}:seq`,
  epoch: `${tag}:epoch`,
  history: `${tag}:history`,
  /** The scripts append `<n>` and `<n>:attempts`. */
  jobPrefix: `${tag}:job:`,
  job: (n: number) => `${tag}:job:${n}`,
  attempts: (n: number) => `${tag}:job:${n}:attempts`,
  due: `${tag}:due`,
  breakers: `${tag}:breakers`,
  operations: `${tag}:operations`,
  inbox: `${tag}:inbox`,
  journal: `${tag}:journal`,
  trimmedTo: `${tag}:trimmedTo`,
  projected: `${tag}:projected`,
  idempotencyPrefix: `${tag}:idempotency:`,
  /** The accept script appends the CNPJ. */
  ratePrefix: `${tag}:rate:`,
  /** The await and accept scripts append `:<id>`, `-key:<cnpj>:<hash>` and the rest of the table. */
  awaitPrefix: `${tag}:await`,
  await: (id: string) => `${tag}:await:${id}`,
  awaitKey: (cnpj: string, hash: string) => `${tag}:await-key:${cnpj}:${hash}`,
  awaitOpen: (cnpj: string) => `${tag}:await-open:${cnpj}`,
  awaitCounts: (cnpj: string) => `${tag}:await-counts:${cnpj}`,
  awaitOwner: (owner: string) => `${tag}:await-owner:${owner}`,
  streams: (cnpj: string) => `${tag}:streams:${cnpj}`,
  ticket: (hash: string) => `${tag}:ticket:${hash}`,
  lease: (name: string) => `${tag}:lease:${name}`,
  /** The bulk scripts append `<id>`. */
  bulkPrefix: `${tag}:bulk:`,
  bulk: (id: string) => `${tag}:bulk:${id}`,
  bulks: `${tag}:bulks`,
  paused: `${tag}:paused`,
  maintenance: `${tag}:maintenance`,
  queues: `${tag}:queues`,
} as const

/** Pub/sub channels: what they carry may be lost, so each has a slower way to the same end. */
export const channels = {
  /** The accept script appends `replies:<owner>` and `awaited-replies:<cnpj>`. */
  prefix: 'gancho:',
  /** Payload: the CNPJ whose cached tenant is stale, or `*` for all. */
  tenantChanged: 'gancho:tenant-changed',
  /** Payload: the CNPJ whose destinations have changed, `default` for those of all tenants, or `*` for any. */
  destinationsChanged: 'gancho:destinations-changed',
  /** Payload: a reply, for the instance whose callers wait for it. */
  replies: (owner: string) => `gancho:replies:${owner}`,
  /** Payload: the id of an awaited reply of this tenant that has changed. */
  awaitedReplies: (cnpj: string) => `gancho:awaited-replies:${cnpj}`,
  /** Payload: the id of a bulk that has moved on. */
  bulks: 'gancho:bulks',
} as const

/** BullMQ's key prefix for one queue. Each queue has a hash tag of its own, so that a Cluster can spread them. */
export const bullPrefix = (queue: string) => `{gancho:${queue}}`

/** Name of the BullMQ queue beside `queue` where failed jobs rest. A queue name has no dot, so the two never collide. */
export const errorQueueName = (queue: string) => `${queue}.errors`
