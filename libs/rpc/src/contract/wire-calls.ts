import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { HpackEncoder } from '../native/hpack/encoder.ts';
import { FLAG, FRAME } from '../native/protocol.ts';
import { frame } from './frame.ts';
import { framed } from './harness.ts';

/** A call as a client may make it, well or badly. */
export interface WireCall {
  readonly path: string;
  readonly contentType: string | undefined;
  readonly metadata: readonly (readonly [string, string])[];
  readonly requests: readonly string[];
  /** How the messages are encoded, and said to be. */
  readonly encoding: 'none' | 'gzip' | 'wrong gzip' | 'unknown';
  /** How the client ends its side: properly, within a message, or by a reset. */
  readonly ending: 'whole' | 'cut' | 'reset';
  readonly framing: Framing;
}

/** How a call is put into frames. */
export interface Framing {
  /** Largest DATA payload. */
  readonly dataBytes: number;
  readonly paddingBytes: number;
  readonly hasPriority: boolean;
  /** Into so many frames goes the header block. */
  readonly headerFrames: number;
  /** END_STREAM comes in a frame of its own. */
  readonly hasBareEnd: boolean;
  /** Frames of the connection between those of the call. */
  readonly between: readonly ('ping' | 'unknown' | 'priority' | 'window' | 'settings')[];
}

/** Frames as most clients make them. */
export const PLAIN: Framing = {
  dataBytes: 16_000,
  paddingBytes: 0,
  hasPriority: false,
  headerFrames: 1,
  hasBareEnd: false,
  between: [],
};

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  // All of a connection stays below its window, which is not looked at.
  fc.integer({ min: 0, max: 1_500 }).map((length) => 'm'.repeat(length)),
);

const framing: fc.Arbitrary<Framing> = fc.record({
  dataBytes: fc.constantFrom(1, 3, 5, 6, 100, 16_000),
  paddingBytes: fc.constantFrom(0, 0, 1, 30),
  hasPriority: fc.boolean(),
  headerFrames: fc.constantFrom(1, 1, 2, 5),
  hasBareEnd: fc.boolean(),
  between: fc.array(fc.constantFrom('ping', 'unknown', 'priority', 'window', 'settings'), { maxLength: 3 }),
});

const metadata = fc.array(
  fc.tuple(
    fc.constantFrom('x-a', 'x-b', 'x-c-bin', 'x-long'),
    fc.oneof(fc.constantFrom('', 'value', 'AAEC', 'two words'), fc.constant('long '.repeat(100).trim())),
  ),
  { maxLength: 4 },
);

/** Methods whose requests are streams. */
const STREAMS: readonly string[] = ['chat', 'first', 'deaf'];

const request = fc.oneof(
  fc.record({
    path: fc.constantFrom('echo', 'metadata', 'twice', 'missing'),
    requests: fc.array(text, { maxLength: 2 }),
  }),
  fc.record({
    path: fc.constant('fail'),
    requests: fc.tuple(fc.constantFrom('NOT_FOUND', 'ABORTED', 'UNKNOWN', 'INTERNAL', 'nonsense')),
  }),
  fc.record({ path: fc.constant('count'), requests: fc.tuple(fc.constantFrom('0', '1', '100', 'x')) }),
  fc.record({ path: fc.constantFrom(...STREAMS), requests: fc.array(text, { maxLength: 5 }) }),
);

/** Any call of the methods of `describeSameOutcome`. */
export const wireCall: fc.Arbitrary<WireCall> = fc
  .tuple(
    request,
    fc.record({
      contentType: fc.constantFrom(
        ...Array.from({ length: 6 }, () => 'application/grpc'),
        'application/grpc+proto',
        'text/html',
        undefined,
      ),
      metadata,
      encoding: fc.constantFrom('none', 'none', 'none', 'gzip', 'wrong gzip', 'unknown'),
      ending: fc.constantFrom('whole', 'whole', 'whole', 'whole', 'cut', 'reset'),
      framing,
    }),
  )
  .map(([made, rest]) => ({ ...made, ...rest }))
  // One fault at a time: which of two is found first is nobody's business.
  .filter(({ encoding, requests }) => encoding === 'none' || requests.length < 2)
  // grpc-js does not see that a message is cut where it has no need of it.
  .filter(({ ending, encoding, path, requests }) => {
    return ending !== 'cut' || (encoding === 'none' && requests.length < 2 && !STREAMS.includes(path));
  });

/** The frames of a call, in order; those in one array must stay together. */
export function framesOf(call: WireCall, streamId: number, encoder: HpackEncoder): Buffer[][] {
  const { framing: how } = call;
  const groups = [headerFrames(call, streamId, encoder)];
  const body = bodyOf(call);
  for (let at = 0; at < body.length; at += how.dataBytes) {
    const part = body.subarray(at, at + how.dataBytes);
    // A byte each would take too long for large ones.
    const isRest = at >= 50 * how.dataBytes && how.dataBytes < 1_000;
    const payload = isRest ? body.subarray(at, at + 16_000) : part;
    const isLast = at + payload.length >= body.length && call.ending !== 'reset' && !how.hasBareEnd;
    groups.push([dataFrame(payload, isLast, streamId, how.paddingBytes)]);
    if (isRest) at += payload.length - how.dataBytes;
  }
  if (call.ending === 'reset') groups.push([frame(FRAME.RST_STREAM, 0, streamId, Buffer.of(0, 0, 0, 8))]);
  else if (how.hasBareEnd || body.length === 0) groups.push([frame(FRAME.DATA, FLAG.END_STREAM, streamId)]);
  const others = how.between.map((kind) => [otherFrame(kind, streamId)]);
  for (const [index, other] of others.entries()) groups.splice(Math.min(groups.length, 1 + 2 * index), 0, other);
  return groups;
}

function headerFrames(call: WireCall, streamId: number, encoder: HpackEncoder): Buffer[] {
  const { headerFrames: count, hasPriority, paddingBytes } = call.framing;
  const encodings = { none: undefined, gzip: 'gzip', 'wrong gzip': 'gzip', unknown: 'snappy' };
  const encoding = encodings[call.encoding];
  const block = encoder.encode([
    { name: ':method', value: 'POST' },
    { name: ':scheme', value: 'http' },
    { name: ':path', value: `/contract.Texts/${call.path}`, isRepeated: true },
    { name: ':authority', value: 'contract', isRepeated: true },
    ...(call.contentType === undefined ? [] : [{ name: 'content-type', value: call.contentType, isRepeated: true }]),
    { name: 'te', value: 'trailers' },
    ...(encoding === undefined ? [] : [{ name: 'grpc-encoding', value: encoding }]),
    ...call.metadata.map(([name, value]) => ({ name, value })),
  ]);
  const frames: Buffer[] = [];
  const size = Math.ceil(block.length / count);
  for (let at = 0; at < block.length; at += size) {
    const part = block.subarray(at, at + size);
    const isLast = at + size >= block.length;
    const end = isLast ? FLAG.END_HEADERS : 0;
    if (at > 0) {
      frames.push(frame(FRAME.CONTINUATION, end, streamId, part));
      continue;
    }
    const padding = paddingBytes > 0 ? FLAG.PADDED : 0;
    const priority = hasPriority ? FLAG.PRIORITY : 0;
    const payload = Buffer.concat([
      paddingBytes > 0 ? Buffer.of(paddingBytes) : Buffer.alloc(0),
      hasPriority ? Buffer.of(0, 0, 0, 0, 16) : Buffer.alloc(0),
      part,
      Buffer.alloc(paddingBytes),
    ]);
    frames.push(frame(FRAME.HEADERS, end | padding | priority, streamId, payload));
  }
  return frames;
}

function bodyOf({ requests, encoding, ending }: WireCall): Buffer {
  const body = Buffer.concat(
    requests.map((request) => {
      const bytes = Buffer.from(request);
      if (encoding === 'gzip') return framed(gzipSync(bytes), 1);
      return framed(bytes, encoding === 'none' ? 0 : 1);
    }),
  );
  if (ending !== 'cut') return body;
  return body.length === 0 ? Buffer.of(0, 0, 0) : body.subarray(0, -1);
}

function dataFrame(payload: Buffer, isLast: boolean, streamId: number, paddingBytes: number): Buffer {
  const end = isLast ? FLAG.END_STREAM : 0;
  if (paddingBytes === 0) return frame(FRAME.DATA, end, streamId, payload);
  const padded = Buffer.concat([Buffer.of(paddingBytes), payload, Buffer.alloc(paddingBytes)]);
  return frame(FRAME.DATA, end | FLAG.PADDED, streamId, padded);
}

function otherFrame(kind: Framing['between'][number], streamId: number): Buffer {
  switch (kind) {
    case 'ping':
      return frame(FRAME.PING, 0, 0, Buffer.alloc(8));
    case 'unknown':
      return frame(0xbe, 0xff, streamId, Buffer.from('of another time'));
    case 'priority':
      return frame(FRAME.PRIORITY, 0, streamId, Buffer.of(0, 0, 0, 0, 16));
    case 'window':
      return frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.of(0, 0, 0, 1));
    case 'settings':
      return frame(FRAME.SETTINGS, 0, 0);
  }
}
