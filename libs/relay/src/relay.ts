import type { Clock } from '@orbitmq/base';
import type { RouteLookup, RouteTable } from '@orbitmq/routing';
import type { BoundMethod, RpcEngineName } from '@orbitmq/rpc';
import type { Component, Logger } from '@orbitmq/runtime';
import { AwayMasters } from './away-masters.ts';
import { BrokerChoice } from './broker-choice.ts';
import { Brokers } from './brokers.ts';
import { DialledAddress, type DialledAddressOptions } from './dialled-address.ts';
import { relayMethods } from './relay-service.ts';

export interface RelayOptions {
  readonly table: RouteTable;
  readonly lookup: RouteLookup;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Largest message of a broker's answer. */
  readonly answerBytesMax: number;
  /** What carries the calls to the brokers; default: see `RPC_ENGINE_DEFAULT`. */
  readonly engine?: RpcEngineName;
  /** By which addresses this name server is reached. */
  readonly access: DialledAddressOptions;
}

/** A name server's client API: routes, and the way to the brokers for whatever else clients send here. */
export class Relay implements Component {
  readonly name = 'relay';
  /** To be registered with the server of the client port. */
  readonly methods: readonly BoundMethod[];
  readonly #brokers: Brokers;
  readonly #away: AwayMasters;

  constructor(options: RelayOptions) {
    const { table, lookup, clock, logger } = options;
    const { answerBytesMax, engine } = options;
    this.#brokers = new Brokers(table, { answerBytesMax, engine, clock });
    this.#away = new AwayMasters(table, clock);
    const choice = new BrokerChoice(this.#brokers, lookup, this.#away);
    const dialled = new DialledAddress(table, options.access);
    this.methods = relayMethods({ brokers: this.#brokers, choice, lookup, dialled, clock, logger });
  }

  async start(): Promise<void> {}

  /** Cuts the connections to the brokers; to be called when the client port has ended its calls. */
  async stop(): Promise<void> {
    this.#away.close();
    this.#brokers.close();
  }
}
