import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '@orbitmq/base';
import fc from 'fast-check';
import { HpackEncoder } from '../native/hpack/encoder.ts';
import { RpcError, type RpcStatus } from '../service.ts';
import { type RpcEngine, type TextBidi, type TextHandlers, type TextStream, withServer } from './harness.ts';
import { framesOf, PLAIN, type WireCall, wireCall } from './wire-calls.ts';
import { greeting, type StreamOutcome, WireClient } from './wire-client.ts';

/** How long to look for differences. */
export interface SameOutcomeOptions {
  /** Scenarios to try. */
  readonly runs: number;
  /** The same seed tries the same scenarios; a failure names its own. */
  readonly seed: number;
}

interface Scenario {
  readonly calls: readonly WireCall[];
  /** How the frames of the calls alternate: whose turn it is, by turns. */
  readonly turns: readonly number[];
  /** Sizes of the pieces in which the bytes are sent, by turns. */
  readonly pieces: readonly number[];
}

const STATUSES: readonly string[] = ['NOT_FOUND', 'ABORTED', 'UNKNOWN', 'INTERNAL'];

const chat: TextBidi = async (requests, _call, sink) => {
  for await (const request of requests) await sink.write(`re: ${request}`);
};
const first: TextBidi = async (requests, _call, sink) => {
  for await (const request of requests) {
    await sink.write(request);
    throw new RpcError('ABORTED', 'one is enough');
  }
};
const deaf: TextBidi = (_requests, _call, sink) => Promise.resolve(sink.write('not listening'));
const count: TextStream = async (request, _call, sink) => {
  if (!/^\d+$/.test(request)) throw new RpcError('INVALID_ARGUMENT', 'not a number');
  for (let n = 0; n < Number(request); n++) await sink.write(`${n}`);
};

const HANDLERS: TextHandlers = {
  unary: {
    echo: (request) => request,
    twice: async (request) => `${request}${request}`,
    metadata: (_request, call) => {
      // HTTP lets several values of a name be joined by a comma, which grpc-js does.
      const values = new Map<string, string>();
      for (const [key, value] of call.metadata.entries()) {
        const before = values.get(key);
        if (key.startsWith('x-')) values.set(key, before === undefined ? value : `${before}, ${value}`);
      }
      return JSON.stringify([...values].sort());
    },
    fail: (request) => {
      if (!STATUSES.includes(request)) throw new RpcError('DATA_LOSS', 'nonsense: ä\n%');
      throw new RpcError(request as RpcStatus, `it is ${request}`);
    },
  },
  serverStream: { count },
  bidi: { chat, first, deaf },
};

const scenario: fc.Arbitrary<Scenario> = fc.record({
  calls: fc.array(wireCall, { minLength: 1, maxLength: 5 }),
  turns: fc.array(fc.nat(9), { minLength: 1, maxLength: 10 }),
  pieces: fc.oneof(
    fc.constant([1_000_000]),
    fc.array(fc.constantFrom(1, 2, 8, 9, 10, 100, 5_000), { minLength: 1, maxLength: 6 }),
  ),
});

/** What may happen to bytes: where, as a part of their length, and what. */
interface Damage {
  readonly at: number;
  readonly kind: 'flip' | 'drop' | 'repeat' | 'insert';
  readonly bytes: Uint8Array;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  kind: fc.constantFrom('flip', 'drop', 'repeat', 'insert'),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }),
});

/** How long a neighbour may wait while others do harm. Milliseconds; generous for a busy machine. */
const NEIGHBOUR_MS_MAX = 5_000;

/** Two engines have to answer the same to the same bytes, whatever these are and however they come. */
export function describeSameOutcome(engines: readonly [RpcEngine, RpcEngine], options: SameOutcomeOptions): void {
  const withBoth = (use: (ports: readonly [number, number]) => Promise<void>): Promise<void> =>
    withServer(engines[0], HANDLERS, (one) =>
      withServer(engines[1], HANDLERS, async (other) => {
        await use([one.server.port, other.server.port]);
        assert.deepEqual([...one.unexpectedErrors, ...other.unexpectedErrors], []);
      }),
    );

  describe('both engines', () => {
    it(`answer the same to ${options.runs} random scenarios (seed ${options.seed})`, () =>
      withBoth((ports) =>
        fc.assert(
          fc.asyncProperty(scenario, async (tried) => {
            const bytes = bytesOf(tried);
            const [expected, found] = await Promise.all(ports.map((port) => outcomeOf(port, tried, bytes)));
            assert.deepEqual(found, expected);
          }),
          { numRuns: options.runs, seed: options.seed },
        ),
      ));

    it(`take no harm from ${options.runs} damaged ones (seed ${options.seed})`, () =>
      withBoth((ports) =>
        fc.assert(
          fc.asyncProperty(scenario, fc.array(damage, { minLength: 1, maxLength: 4 }), async (tried, damages) => {
            const bytes = damages.reduce(damaged, bytesOf(tried));
            await Promise.all(ports.map((port) => isUnharmed(port, tried, bytes)));
          }),
          { numRuns: options.runs, seed: options.seed },
        ),
      ));

    it('do not mind where the bytes are cut', () =>
      withBoth(async (ports) => {
        const tried = splitScenario();
        const bytes = bytesOf(tried);
        const expected = await outcomeOf(ports[0], tried, bytes);
        for (let at = 1; at < bytes.length; at++) {
          const pieces = [at, bytes.length];
          assert.deepEqual(await outcomeOf(ports[1], { ...tried, pieces }, bytes), expected, `cut at ${at}`);
        }
      }));
  });
}

/** One call of each kind with every peculiarity of frames, in few bytes. */
function splitScenario(): Scenario {
  const framing = { dataBytes: 6, paddingBytes: 2, hasPriority: true, headerFrames: 2, hasBareEnd: true };
  const call = (path: string, requests: string[], encoding: WireCall['encoding'] = 'none'): WireCall => ({
    path,
    contentType: 'application/grpc',
    metadata: [['x-a', 'b']],
    requests,
    encoding,
    ending: 'whole',
    framing: { ...framing, between: ['ping', 'unknown', 'settings'] },
  });
  const calls = [call('echo', ['hello']), call('metadata', ['x'], 'gzip'), call('chat', ['one', 'two'])];
  return { calls, turns: [0, 1, 2], pieces: [1] };
}

function bytesOf({ calls, turns }: Scenario): Buffer {
  const encoder = new HpackEncoder();
  // Header blocks have to be sent in the order in which they are encoded.
  const waiting = calls.map((call, index) => framesOf(call, 2 * index + 1, encoder));
  const parts = waiting.flatMap((groups) => groups.shift()!);
  for (let turn = 0; waiting.some((groups) => groups.length > 0); turn++) {
    const open = waiting.filter((groups) => groups.length > 0);
    parts.push(...open[turns[turn % turns.length]! % open.length]!.shift()!);
  }
  return Buffer.concat([greeting(), ...parts]);
}

async function outcomeOf(port: number, { calls, pieces }: Scenario, bytes: Buffer): Promise<unknown> {
  const client = new WireClient(port);
  try {
    let at = 0;
    for (let turn = 0; at < bytes.length; turn++) {
      // Small pieces of many bytes would take too long.
      const size = turn > 200 ? bytes.length : pieces[turn % pieces.length]!;
      await client.send(bytes.subarray(at, at + size));
      at += size;
    }
    const ids = calls.flatMap(({ ending }, index) => (ending === 'reset' ? [] : [2 * index + 1]));
    const outcomes = await client.outcomes(ids);
    assert.equal(client.goAwayCode, undefined, 'the connection was ended');
    return outcomes.map((outcome, index) => comparable(outcome, calls[(ids[index]! - 1) / 2]!));
  } finally {
    client.close();
  }
}

/** What has to be the same; the words of errors that handlers have not said may differ. */
function comparable({ httpStatus, grpcStatus, grpcMessage, messages }: StreamOutcome, { path }: WireCall): unknown {
  if (httpStatus !== '200') return { httpStatus };
  const isWorded = path === 'fail' || path === 'first' || path === 'count';
  return { grpcStatus, messages, ...(isWorded && messages.length > 0 ? { grpcMessage } : {}) };
}

/** The greeting stays whole, as nothing behind a wrong one is looked at. */
function damaged(bytes: Buffer, { at, kind, bytes: other }: Damage): Buffer {
  const start = greeting().length + Math.floor(at * (bytes.length - greeting().length));
  const end = start + other.length;
  switch (kind) {
    case 'flip': {
      const copy = Buffer.from(bytes);
      for (const [index, byte] of other.entries()) if (start + index < copy.length) copy[start + index]! ^= byte;
      return copy;
    }
    case 'drop':
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
    case 'repeat':
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
    case 'insert':
      return Buffer.concat([bytes.subarray(0, start), other, bytes.subarray(start)]);
  }
}

/** Whatever becomes of a connection with such bytes, another one is answered. */
async function isUnharmed(port: number, { pieces }: Scenario, bytes: Buffer): Promise<void> {
  const hostile = new WireClient(port);
  const neighbour = new WireClient(port);
  try {
    const size = Math.max(100, pieces[0]!);
    for (let at = 0; at < bytes.length && !hostile.isClosed; at += size) {
      await hostile.send(bytes.subarray(at, at + size));
    }
    const call: WireCall = { ...splitScenario().calls[0]!, framing: PLAIN };
    await neighbour.send(Buffer.concat([greeting(), ...framesOf(call, 1, new HpackEncoder()).flat()]));
    const startedMs = systemClock.monotonicMs();
    const [outcome] = await neighbour.outcomes([1]);
    assert.deepEqual([outcome!.grpcStatus, outcome!.messages], ['0', ['hello']]);
    assert.ok(systemClock.monotonicMs() - startedMs < NEIGHBOUR_MS_MAX);
  } finally {
    hostile.close();
    neighbour.close();
  }
}
