import { setTimeout as pause } from 'node:timers/promises';
import { type Random, seededRandom } from '@orbitmq/base';
import { AdminClient } from '@orbitmq/client';
import { RpcError, UnreachableError } from '@orbitmq/rpc';
import type { Cluster, Member } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { waitUntil } from '../interop/child.ts';
import type { SoakOptions } from './options.ts';
import { POLITE_VISITS } from './polite-visits.ts';
import { Residents } from './residents.ts';
import { RUDE_VISITS } from './rude-visits.ts';
import { type Sample, type Watched, watchMember, watchSelf } from './samples.ts';
import { Stalls } from './stalls.ts';
import { EMPTY, type Place, SENT } from './visit.ts';

const VISITS = [...POLITE_VISITS, ...RUDE_VISITS];
const SETTLE_MS_MAX = 30_000;
/** A client that is silent is forgotten after 2 minutes; a connection that says nothing is closed earlier. */
const GONE_MS_MAX = 240_000;
/** What is left when all clients have gone. */
const REST = {
  broker: {
    // That of the name server, which passes calls on.
    orbitmq_rpc_connections: 1,
    orbitmq_messaging_telemetry_streams: 0,
    orbitmq_messaging_waiting_polls: 0,
    orbitmq_messaging_clients: 0,
  },
  nameServer: { orbitmq_rpc_connections: 0 },
};

/** Lets clients come and go at a running cluster of one broker and one name server, and looks at what the processes hold. */
export class Soak {
  readonly watched: readonly Watched[];
  /** Visits that were made, by their names. */
  readonly visits = new Map<string, number>();
  /** Texts of what went wrong. */
  readonly failures: string[] = [];
  /** Texts of what went wrong while or after the machine stood still. */
  readonly excused: string[] = [];
  readonly stalls = new Stalls();
  readonly counts = { sent: 0, received: 0 };
  readonly #options: SoakOptions;
  readonly #broker: Member;
  readonly #nameServer: Member;
  readonly #places: readonly Place[];
  /** Says who comes next, and nothing else: what visits draw meanwhile depends on time. */
  readonly #order: Random;
  readonly #open = new Set<Promise<void>>();

  constructor(cluster: Cluster, options: SoakOptions) {
    this.#options = options;
    this.#broker = cluster.brokers[0]!;
    this.#nameServer = cluster.nameServers[0]!;
    this.watched = [watchMember(this.#broker), watchMember(this.#nameServer), watchSelf()];
    this.#order = seededRandom(options.seed);
    const random = seededRandom(options.seed + 1);
    this.#places = [this.#broker, this.#nameServer].map(({ clientPort: port }) => {
      return { port, brokerName: this.#broker.name, random, counts: this.counts };
    });
  }

  /** Makes the topics. */
  async prepare(): Promise<void> {
    const admin = new AdminClient({ address: `127.0.0.1:${this.#broker.adminPort}` });
    try {
      for (const { topic, group } of [SENT, EMPTY]) {
        await admin.putTopic({ name: topic, attributesPut: new Map(), attributesRemoved: [] });
        await admin.putGroup({ name: group, retryPolicy: undefined, attributesPut: new Map(), attributesRemoved: [] });
      }
    } finally {
      admin.close();
    }
    using client = new MessagingClient(this.#nameServer.endpoint);
    for (const { topic } of [SENT, EMPTY]) {
      await waitUntil(`there is a route of ${topic}`, SETTLE_MS_MAX, async () => {
        return (await client.queryRoute(topic)).messageQueues.length > 0;
      });
    }
  }

  /**
   * Lets clients come and go for the whole time.
   * @param onSamples told of each look at all processes
   */
  async run(onSamples: (samples: readonly Sample[]) => void): Promise<void> {
    const residents = this.#places.map((place) => new Residents(place, this.#onFailure));
    const beginMs = performance.now();
    const endMs = beginMs + this.#options.durationMs;
    const sampling = this.#sample(endMs, onSamples);
    sampling.catch(() => {}); // told below, when everybody has gone
    for (let visit = 0; performance.now() < endMs; visit++) {
      const plannedMs = beginMs + (visit * 1_000) / this.#options.visitsPerSecond;
      await pause(Math.max(0, plannedMs - performance.now()));
      this.#begin();
    }
    await Promise.all([sampling, ...residents.map((resident) => resident.stop())]);
    await Promise.all(this.#open);
    this.stalls.stop();
  }

  /** Waits until the servers have forgotten all clients. @returns what is left of them; empty is right */
  async leftovers(): Promise<string[]> {
    const look = async (): Promise<string[]> => {
      const left: string[] = [];
      for (const [member, gauges] of [
        [this.#broker, REST.broker],
        [this.#nameServer, REST.nameServer],
      ] as const) {
        for (const [name, countMax] of Object.entries(gauges)) {
          const count = await member.metric(name);
          if (count > countMax) left.push(`${member.name}: ${name} is ${count}, not ${countMax}`);
        }
      }
      return left;
    };
    let left = await look();
    for (const endMs = performance.now() + GONE_MS_MAX; left.length > 0 && performance.now() < endMs; ) {
      await pause(1_000);
      left = await look();
    }
    return left;
  }

  /** Lines of the servers' logs that tell of errors. */
  complaints(): string[] {
    return [this.#broker, this.#nameServer].flatMap((member) => {
      const errors = member.logLines().filter(({ level }) => level === 'error' || level === 'fatal');
      return errors.map((line) => `${member.name}: ${JSON.stringify(line)}`);
    });
  }

  #begin(): void {
    const place = this.#places[this.#order.below(this.#places.length)]!;
    const visit = VISITS[this.#order.below(VISITS.length)]!;
    this.visits.set(visit.name, (this.visits.get(visit.name) ?? 0) + 1);
    const run = visit
      .run(place)
      .catch((error: unknown) => this.#onFailure(visit.name, error))
      .finally(() => this.#open.delete(run));
    this.#open.add(run);
  }

  readonly #onFailure = (name: string, error: unknown): void => {
    const texts = isLate(error) && this.stalls.isRecent ? this.excused : this.failures;
    texts.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  };

  async #sample(endMs: number, onSamples: (samples: readonly Sample[]) => void): Promise<void> {
    for (;;) {
      const nextMs = performance.now() + this.#options.sampleMs;
      if (nextMs > endMs) return;
      await pause(this.#options.sampleMs);
      const samples: Sample[] = [];
      for (const watched of this.watched) samples.push(await watched.sample());
      onSamples(samples);
    }
  }
}

/** Calls and beginnings of connections have so long and no longer. */
function isLate(error: unknown): boolean {
  return error instanceof UnreachableError || (error instanceof RpcError && error.status === 'DEADLINE_EXCEEDED');
}
