import type { ServerHttp2Stream, ServerOptions } from 'node:http2';
import type { Server, ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { BaseServerInterceptingCall } from '@grpc/grpc-js/build/src/server-interceptors.js';

/**
 * Things that grpc-js keeps to itself and that limits and long calls need. Its version is pinned; the contract suite fails when an
 * update changes them.
 */

/** The options its HTTP/2 servers are made with, of which it lets only a few be set. */
export function http2OptionsOf(server: Server): ServerOptions {
  return (server as unknown as { commonServerOptions: ServerOptions }).commonServerOptions;
}

/** The HTTP/2 stream of a call: grpc-js neither shows how much of a message has come nor resets a stream. */
export function streamOf(base: ServerInterceptingCallInterface): ServerHttp2Stream {
  return (base as unknown as { stream: ServerHttp2Stream }).stream;
}

type StreamHandler = (interceptors: unknown, stream: ServerHttp2Stream, headers: unknown) => void;

/**
 * Keeps streams that were reset together with their headers from grpc-js. It answers those that it refuses (unknown
 * methods, other content types) without looking, which throws where nobody catches it: one packet would end the process.
 */
export function ignoreClosedStreams(server: Server): void {
  const internals = server as unknown as { _streamHandler: StreamHandler };
  const handle = internals._streamHandler;
  internals._streamHandler = function handleOpenStream(interceptors, stream, headers) {
    if (stream.destroyed || stream.closed) stream.on('error', () => {});
    else handle.call(this, interceptors, stream, headers);
  };
}

/** The longest time a timer of Node can be set to, 24.8 days, in whole seconds. */
const TIMEOUT_S_MAX = 2_147_483;
const UNIT_SECONDS: Readonly<Record<string, number>> = { H: 3600, M: 60, S: 1 };

/**
 * Makes grpc-js treat a deadline that is further away than a timer can be set as the furthest one. It cuts the time to
 * 32 bits instead, so that a call that is meant to last for ever ends at once: the Java client opens its telemetry
 * streams with 2,562,047 hours.
 */
export function boundTimeouts(): void {
  const calls = BaseServerInterceptingCall.prototype as unknown as { handleTimeoutHeader: TimeoutHandler };
  const { handleTimeoutHeader } = calls;
  if (handleTimeoutHeader.name === 'handleBoundedTimeout') return;
  calls.handleTimeoutHeader = function handleBoundedTimeout(header) {
    handleTimeoutHeader.call(this, boundedTimeout(header.toString()));
  };
}

type TimeoutHandler = (this: unknown, header: string | Buffer) => void;

function boundedTimeout(header: string): string {
  const [, digits, unit] = /^(\d{1,8})\s*([HMS])$/.exec(header) ?? [];
  const seconds = Number(digits) * (UNIT_SECONDS[unit ?? ''] ?? 0);
  return seconds > TIMEOUT_S_MAX ? `${TIMEOUT_S_MAX}S` : header;
}
