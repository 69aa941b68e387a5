import type { Clock } from '@orbitmq/base';
import {
  type BoundMethod,
  type Call,
  createRpcClient,
  EndableRequests,
  passedMetadata,
  type Reply,
  type RpcClient,
  RpcError,
  type Sink,
} from '@orbitmq/rpc';
import type { LeaderPlace } from './member-options.ts';

/** Bytes of a call that is passed on to the leader, or of its answer. */
export class Passed {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** Who serves a call now. */
export type Server =
  | { readonly kind: 'here'; readonly methods: ReadonlyMap<string, BoundMethod> }
  | { readonly kind: 'leader'; readonly client: RpcClient };

/** A call waits so long for a leader, where its own deadline lets it. Milliseconds. */
const PATIENCE_MS = 8_000;
/** What a call keeps of its deadline for the answer. Milliseconds. */
const MARGIN_MS = 200;
/** Longest wait for an answer where the client sets no limit. Milliseconds. */
const WAIT_MAX_MS = 60_000;
/** Calls that a former leader has may so long be answered by it: it finishes what it has begun before it hands over. Milliseconds. */
const LINGER_MS = 3_000;

/** Where the calls of this member's clients are served: here while it leads, else by the leader. */
export class LeaderCalls {
  readonly #brokerName: string;
  readonly #clock: Clock;
  readonly #waiters = new Set<() => void>();
  /** Streams of clients: they end when somebody else serves, and are opened again with who serves then. */
  readonly #served = new Set<EndableRequests<unknown>>();
  /** Connections to former leaders, which end soon. */
  readonly #former = new Set<RpcClient>();
  #server: Server | undefined;
  /** Methods of the newest tenure here, maybe a former one: what has begun in it may be answered when it has ended. */
  #lastHere: ReadonlyMap<string, BoundMethod> = new Map();
  #place: LeaderPlace | undefined;

  constructor(brokerName: string, clock: Clock) {
    this.#brokerName = brokerName;
    this.#clock = clock;
  }

  /** The methods of the tenure of this member; undefined while calls are passed on, or wait. */
  get here(): ReadonlyMap<string, BoundMethod> | undefined {
    return this.#server?.kind === 'here' ? this.#server.methods : undefined;
  }

  /** This member serves from now on. */
  serveHere(methods: readonly BoundMethod[]): void {
    this.#lastHere = new Map(methods.map((method) => [method.path, method]));
    this.#become({ kind: 'here', methods: this.#lastHere });
  }

  /** Calls are passed on to a leader from now on; undefined = they wait until somebody leads. */
  passOnTo(place: LeaderPlace | undefined): void {
    if (this.#server?.kind === 'leader' && place?.clientAddress === this.#place?.clientAddress) return;
    this.#place = place;
    this.#become(
      place === undefined
        ? undefined
        : { kind: 'leader', client: createRpcClient({ addresses: [place.clientAddress], tls: undefined }) },
    );
  }

  /** Calls wait from now on: somebody is about to lead. */
  pause(): void {
    this.#become(undefined);
  }

  close(): void {
    this.#become(undefined);
    for (const client of this.#former) client.close();
    this.#former.clear();
  }

  /**
   * Methods for a client port, one for each of `methods` by path and kind; which of them is called is decided at each call.
   */
  methods(methods: readonly BoundMethod[]): BoundMethod[] {
    return methods.map((method) => this.#switched(method));
  }

  #become(server: Server | undefined): void {
    const before = this.#server;
    this.#server = server;
    for (const requests of this.#served) requests.end();
    if (before?.kind === 'leader') this.#leave(before.client);
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter();
  }

  #leave(client: RpcClient): void {
    this.#former.add(client);
    this.#clock.setTimer(LINGER_MS, () => {
      this.#former.delete(client);
      client.close();
    });
  }

  /** @throws RpcError UNAVAILABLE when nobody leads in time */
  async #settled(call: Call): Promise<Server> {
    const endMs = this.#clock.monotonicMs() + Math.min(PATIENCE_MS, call.remainingMs() - MARGIN_MS);
    for (;;) {
      if (this.#server !== undefined) return this.#server;
      const leftMs = endMs - this.#clock.monotonicMs();
      if (leftMs <= 0 || call.cancelled || call.draining) {
        throw new RpcError('UNAVAILABLE', `broker ${this.#brokerName} has no master now: try again`);
      }
      await new Promise<void>((resolve) => {
        const end = (): void => {
          timer.cancel();
          stopCancel();
          stopDrain();
          this.#waiters.delete(end);
          resolve();
        };
        const timer = this.#clock.setTimer(leftMs, () => end());
        const stopCancel = call.onCancel(() => queueMicrotask(end));
        const stopDrain = call.onDrain(() => queueMicrotask(end));
        this.#waiters.add(end);
      });
    }
  }

  #switched(model: BoundMethod): BoundMethod {
    const { kind, path } = model;
    const local = (): BoundMethod => this.here?.get(path) ?? model;
    const handler = {
      unary: (request: unknown, call: Call) =>
        request instanceof Passed ? this.#unary(request, call) : local().handler(request, call),
      serverStream: (request: unknown, call: Call, sink: Sink<unknown>) =>
        request instanceof Passed ? this.#serverStream(request, call, sink) : local().handler(request, call, sink),
      bidi: (requests: AsyncIterable<unknown>, call: Call, sink: Sink<unknown>) =>
        this.#bidi(path, requests, call, sink),
    }[kind];
    return {
      kind,
      path,
      // A stream outlives tenures: what comes on it is decoded when it is known for whom it is.
      decode: (bytes) => (kind === 'bidi' || this.here === undefined ? new Passed(bytes) : local().decode(bytes)),
      encode: (response) =>
        response instanceof Passed ? response.bytes : (this.#lastHere.get(path) ?? model).encode(response),
      handler,
      ...(kind === 'unary' && {
        replyHandler: (request: unknown, call: Call, reply: Reply<unknown>) =>
          request instanceof Passed ? settle(this.#unary(request, call), reply) : answer(local(), request, call, reply),
      }),
    };
  }

  async #unary(request: Passed, call: Call): Promise<Passed> {
    const server = await this.#settled(call);
    if (server.kind === 'here') {
      const method = server.methods.get(call.path)!;
      return new Passed(method.encode(await method.handler(decoded(method, request), call)));
    }
    return await withSignal(call, async (signal) => {
      const options = { timeoutMs: timeoutOf(call), metadata: passedMetadata(call), signal };
      return new Passed(await server.client.raw.unary(call.path, request.bytes, options));
    });
  }

  async #serverStream(request: Passed, call: Call, sink: Sink<unknown>): Promise<void> {
    const server = await this.#settled(call);
    if (server.kind === 'here') {
      const method = server.methods.get(call.path)!;
      await method.handler(decoded(method, request), call, encoding(sink, method));
      return;
    }
    await withSignal(call, async (signal) => {
      const options = { timeoutMs: timeoutOf(call), metadata: passedMetadata(call), signal };
      for await (const bytes of server.client.raw.serverStream(call.path, request.bytes, options)) {
        await sink.write(new Passed(bytes));
      }
    });
  }

  async #bidi(path: string, requests: AsyncIterable<unknown>, call: Call, sink: Sink<unknown>): Promise<void> {
    const server = await this.#settled(call);
    const ending = new EndableRequests(requests);
    this.#served.add(ending);
    try {
      if (server.kind === 'leader') await this.#passStream(server.client, ending, call, sink);
      else {
        const method = server.methods.get(path)!;
        await method.handler(decoding(ending, method), call, encoding(sink, method));
      }
    } finally {
      this.#served.delete(ending);
    }
  }

  async #passStream(
    client: RpcClient,
    requests: AsyncIterable<unknown>,
    call: Call,
    sink: Sink<unknown>,
  ): Promise<void> {
    const there = client.raw.bidi(call.path, { metadata: passedMetadata(call) });
    const stopCancel = call.onCancel(() => there.cancel());
    const sending = (async () => {
      for await (const request of requests) await there.write((request as Passed).bytes);
      there.end();
    })();
    // The client's end, or its failure, is seen by the leader; what the leader says of it ends this call.
    sending.catch(() => there.cancel());
    try {
      for await (const bytes of there.responses) await sink.write(new Passed(bytes));
    } finally {
      stopCancel();
      there.cancel();
    }
  }
}

function timeoutOf(call: Call): number {
  return Math.max(1, Math.min(call.remainingMs() - MARGIN_MS, WAIT_MAX_MS));
}

async function withSignal<Result>(call: Call, use: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const abort = new AbortController();
  const stop = call.onCancel(() => abort.abort());
  try {
    return await use(abort.signal);
  } finally {
    stop();
  }
}

function encoding(sink: Sink<unknown>, method: BoundMethod): Sink<unknown> {
  return { write: (response) => sink.write(new Passed(method.encode(response))) };
}

/** @throws RpcError INVALID_ARGUMENT when the bytes are no message of the method: whoever sent them is told, and nobody else minds */
function decoded(method: BoundMethod, { bytes }: Passed): unknown {
  try {
    return method.decode(bytes);
  } catch (error) {
    if (error instanceof RpcError) throw error;
    throw new RpcError(
      'INVALID_ARGUMENT',
      'the request is not a readable protobuf message of its type; check that client and server use the same API',
    );
  }
}

/** What comes, decoded. */
async function* decoding(requests: AsyncIterable<unknown>, method: BoundMethod): AsyncIterable<unknown> {
  for await (const request of requests) yield decoded(method, request as Passed);
}

/** Calls a unary method without a promise where it can do without. */
function answer(method: BoundMethod, request: unknown, call: Call, reply: Reply<unknown>): void {
  if (method.replyHandler !== undefined) {
    method.replyHandler(request, call, reply);
    return;
  }
  const response: unknown = method.handler(request, call);
  if (response instanceof Promise) settle(response, reply);
  else reply.respond(response);
}

function settle(answering: Promise<unknown>, reply: Reply<unknown>): void {
  answering.then(
    (response) => reply.respond(response),
    (error: unknown) => reply.reject(error),
  );
}
