import type { Clock, Timer } from '@orbitmq/base';
import type { BrokerStatus } from '@orbitmq/protocol/orbitmq.route.v1';
import type { Component, Logger } from '@orbitmq/runtime';
import type { NameServers } from './name-servers.ts';
import { RegistrationLink } from './registration-link.ts';
import type { RegistrationSource } from './registration-source.ts';
import { TopicCatalog } from './topic-catalog.ts';

export interface BrokerRegistrationOptions {
  readonly nameServers: NameServers;
  readonly source: RegistrationSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default 1000. Milliseconds. */
  readonly heartbeatIntervalMs?: number;
  /** A name server that does not answer for so long is dialled again. Default 3000. Milliseconds. */
  readonly silenceMs?: number;
}

/** Changes that come within this are told together. Milliseconds. */
const GATHER_MS = 5;

/**
 * Keeps this broker registered with every name server: a stream to each, opened again when it ends, with changes pushed
 * at once and a heartbeat between them. Starting does not wait for any name server; a broker serves without them.
 */
export class BrokerRegistration implements Component {
  readonly name = 'registration';
  readonly #options: BrokerRegistrationOptions;
  readonly #catalog = new TopicCatalog();
  readonly #links: readonly RegistrationLink[];
  #status: BrokerStatus | undefined;
  #gather: Timer | undefined;
  #running = false;

  constructor(options: BrokerRegistrationOptions) {
    this.#options = options;
    const { clock, source, heartbeatIntervalMs = 1000, silenceMs = 3000 } = options;
    this.#links = options.nameServers.all.map((nameServer) => {
      const logger = options.logger.child({ nameServer: nameServer.address });
      const catalog = this.#catalog;
      return new RegistrationLink({ nameServer, catalog, source, clock, logger, heartbeatIntervalMs, silenceMs });
    });
  }

  /** Name servers that show this broker's newest topics. */
  get registeredCount(): number {
    return this.#links.filter((link) => link.isCurrent).length;
  }

  /** To be called when topics or the broker's status may have changed. */
  changed(): void {
    if (!this.#running) return;
    this.#gather ??= this.#options.clock.setTimer(GATHER_MS, () => {
      this.#gather = undefined;
      this.#tell();
    });
  }

  /** To be called when the broker has become something else: master, slave, or of another epoch. */
  identityChanged(): void {
    if (!this.#running) return;
    this.#status = this.#options.source.status();
    this.#catalog.refresh(this.#options.source.topics());
    for (const link of this.#links) link.tellAll();
  }

  async start(): Promise<void> {
    this.#running = true;
    this.#status = this.#options.source.status();
    this.#catalog.refresh(this.#options.source.topics());
    for (const link of this.#links) link.open();
  }

  /** Tells all name servers that the broker goes, and waits for their answers, but not beyond `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    this.#running = false;
    this.#gather?.cancel();
    await Promise.all(this.#links.map((link) => link.close(deadlineMs)));
  }

  #tell(): void {
    if (!this.#running) return;
    const names = this.#catalog.refresh(this.#options.source.topics());
    const status = this.#options.source.status();
    const isStatusNew = !isSameStatus(this.#status, status);
    this.#status = status;
    for (const link of this.#links) {
      if (names.length > 0) link.tellTopics(names);
      if (isStatusNew) link.tellStatus();
    }
  }
}

function isSameStatus(left: BrokerStatus | undefined, right: BrokerStatus): boolean {
  const [before, after] = [left?.autoCreate, right.autoCreate];
  return (
    left?.permission === right.permission &&
    left.draining === right.draining &&
    before?.enabled === after?.enabled &&
    before?.queueCount === after?.queueCount &&
    before?.messageTypes.join() === after?.messageTypes.join()
  );
}
