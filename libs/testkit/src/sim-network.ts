import type { Clock, Random, Timer } from '@orbitmq/base';

/** One end of a connection between two simulated hosts: messages arrive whole, in order, or not at all. */
export interface SimSocket<Incoming, Outgoing> {
  /** Never needs to be waited for: the network holds what is on its way. */
  write(message: Outgoing): undefined;
  /** Ends the connection; the other side learns it when the network carries that there. */
  close(): void;
  readonly incoming: AsyncIterable<Incoming>;
}

/** How the link from one host to another behaves, in this direction. */
export interface SimLink {
  /** Nothing gets through; what is sent meanwhile comes when the link is up again, as TCP would send it again. */
  readonly isCut: boolean;
  /** Milliseconds a message takes at least and at most. */
  readonly delayMs: readonly [number, number];
}

/** Fineness of delays. */
const STEPS = 1 << 20;
const GOOD: SimLink = { isCut: false, delayMs: [0.1, 0.5] };

/** Connections between named hosts whose links can be cut and delayed, each direction on its own. */
export class SimNetwork {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #links = new Map<string, SimLink>();
  readonly #listeners = new Map<string, (socket: SimSocket<unknown, unknown>) => void>();
  readonly #connections = new Set<Connection>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Takes connections to `host` from now on; replaces who did before. Returns the way to stop that. */
  listen<Incoming, Outgoing>(host: string, accept: (socket: SimSocket<Incoming, Outgoing>) => void): () => void {
    const listener = accept as (socket: SimSocket<unknown, unknown>) => void;
    this.#listeners.set(host, listener);
    return () => {
      if (this.#listeners.get(host) === listener) this.#listeners.delete(host);
    };
  }

  /** Opens a connection; where nobody listens it ends when the network has found that out. */
  connect<Incoming, Outgoing>(from: string, to: string): SimSocket<Incoming, Outgoing> {
    const connection = new Connection(this, from, to);
    this.#connections.add(connection);
    connection.open();
    return connection.near as unknown as SimSocket<Incoming, Outgoing>;
  }

  /** Sets how the link from one host to another behaves. */
  link(from: string, to: string, link: Partial<SimLink>): void {
    const path = `${from}>${to}`;
    this.#links.set(path, { ...(this.#links.get(path) ?? GOOD), ...link });
    for (const connection of this.#connections) connection.flush();
  }

  /** All links are good again. */
  heal(): void {
    this.#links.clear();
    for (const connection of this.#connections) connection.flush();
  }

  /** The host is gone, with all its connections; nobody tells the others but the network, where it still can. */
  kill(host: string): void {
    this.#listeners.delete(host);
    for (const connection of this.#connections) connection.kill(host);
  }

  /** @internal */
  linkOf(from: string, to: string): SimLink {
    return this.#links.get(`${from}>${to}`) ?? GOOD;
  }

  /** @internal */
  delayOf({ delayMs: [least, most] }: SimLink): number {
    return least + ((most - least) * this.#random.below(STEPS)) / STEPS;
  }

  /** @internal */
  get clock(): Clock {
    return this.#clock;
  }

  /** @internal */
  listenerOf(host: string): ((socket: SimSocket<unknown, unknown>) => void) | undefined {
    return this.#listeners.get(host);
  }

  /** @internal */
  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }
}

/** What is on its way in one direction: a message, or the end. */
type Parcel =
  | { readonly kind: 'message'; readonly message: unknown }
  | { readonly kind: 'open' }
  | { readonly kind: 'end' };

class Connection {
  readonly near: End;
  readonly far: End;
  readonly #network: SimNetwork;
  readonly #there: Direction;
  readonly #back: Direction;

  constructor(network: SimNetwork, from: string, to: string) {
    this.#network = network;
    this.near = new End(from, (parcel) => this.#there.send(parcel));
    this.far = new End(to, (parcel) => this.#back.send(parcel));
    this.#there = new Direction(network, from, to, (parcel) => this.#arriveFar(parcel));
    this.#back = new Direction(network, to, from, (parcel) => this.near.arrive(parcel));
  }

  open(): void {
    this.#there.send({ kind: 'open' });
  }

  flush(): void {
    this.#there.flush();
    this.#back.flush();
    if (this.near.isEnded && this.far.isEnded) this.#network.forget(this);
  }

  kill(host: string): void {
    for (const end of [this.near, this.far]) if (end.host === host) end.die();
    if (this.near.isEnded && this.far.isEnded) this.#network.forget(this);
  }

  #arriveFar(parcel: Parcel): void {
    if (parcel.kind !== 'open') {
      this.far.arrive(parcel);
      return;
    }
    const listener = this.#network.listenerOf(this.far.host);
    if (listener === undefined) this.far.die();
    else listener(this.far);
  }
}

/** One direction of a connection: keeps the order, and keeps what a cut link does not let through. */
class Direction {
  readonly #network: SimNetwork;
  readonly #from: string;
  readonly #to: string;
  readonly #deliver: (parcel: Parcel) => void;
  readonly #queue: { readonly parcel: Parcel; dueMs: number }[] = [];
  #timer: Timer | undefined;

  constructor(network: SimNetwork, from: string, to: string, deliver: (parcel: Parcel) => void) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#deliver = deliver;
  }

  send(parcel: Parcel): void {
    const last = this.#queue.at(-1)?.dueMs ?? 0;
    this.#queue.push({ parcel, dueMs: Math.max(last, this.#dueFromNow()) });
    this.#arm();
  }

  /** The link has changed. */
  flush(): void {
    const nowMs = this.#network.clock.monotonicMs();
    // What a cut has held back sets out again.
    if (this.#queue.length > 0 && this.#queue[0]!.dueMs <= nowMs) {
      const dueMs = this.#dueFromNow();
      for (const waiting of this.#queue) waiting.dueMs = Math.max(waiting.dueMs, dueMs);
    }
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    const first = this.#queue[0];
    if (first === undefined || this.#link.isCut) return;
    const { clock } = this.#network;
    this.#timer = clock.setTimer(first.dueMs - clock.monotonicMs(), () => this.#run());
  }

  #run(): void {
    const { clock } = this.#network;
    while (this.#queue.length > 0 && !this.#link.isCut && this.#queue[0]!.dueMs <= clock.monotonicMs()) {
      this.#deliver(this.#queue.shift()!.parcel);
    }
    this.#arm();
  }

  get #link(): SimLink {
    return this.#network.linkOf(this.#from, this.#to);
  }

  #dueFromNow(): number {
    return this.#network.clock.monotonicMs() + this.#network.delayOf(this.#link);
  }
}

class End implements SimSocket<unknown, unknown> {
  readonly host: string;
  readonly #send: (parcel: Parcel) => void;
  readonly #arrived: unknown[] = [];
  #isEnded = false;
  #wake = (): void => {};

  constructor(host: string, send: (parcel: Parcel) => void) {
    this.host = host;
    this.#send = send;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get incoming(): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) };
  }

  write(message: unknown): undefined {
    if (!this.#isEnded) this.#send({ kind: 'message', message });
  }

  close(): void {
    if (this.#isEnded) return;
    this.#send({ kind: 'end' });
    this.#end();
  }

  /** The host of this end is gone; its kernel tells the other side, if the network carries it. */
  die(): void {
    this.close();
  }

  arrive(parcel: Parcel): void {
    if (this.#isEnded) return;
    if (parcel.kind === 'end') this.#end();
    else if (parcel.kind === 'message') {
      this.#arrived.push(parcel.message);
      this.#wake();
    }
  }

  #end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async #next(): Promise<IteratorResult<unknown>> {
    while (this.#arrived.length === 0) {
      if (this.#isEnded) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return { done: false, value: this.#arrived.shift() };
  }
}
