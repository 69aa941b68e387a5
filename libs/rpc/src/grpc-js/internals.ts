import type { ServerHttp2Stream, ServerOptions } from 'node:http2';
import type { Server, ServerInterceptingCallInterface } from '@grpc/grpc-js';

/**
 * Two things that grpc-js keeps to itself and that limits need. Its version is pinned; the contract suite fails when an
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
