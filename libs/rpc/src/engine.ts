import type { RpcClient, RpcClientOptions } from './client.ts';
import { createGrpcJsClient } from './grpc-js/client.ts';
import { startGrpcJsServer } from './grpc-js/server.ts';
import { createNativeClient } from './native/client.ts';
import { startNativeServer } from './native/server.ts';
import type { RpcServer, RpcServerOptions } from './server.ts';

/** What carries calls: HTTP/2 of our own, or @grpc/grpc-js, which is the reference. */
export const RPC_ENGINES = ['native', 'grpc-js'] as const;

export type RpcEngineName = (typeof RPC_ENGINES)[number];

/** The engine where none is chosen. */
export const RPC_ENGINE_DEFAULT: RpcEngineName = 'native';

/**
 * Listens on a port and serves the given methods.
 * @throws Error when the port cannot be had or the TLS identity is not usable
 */
export function startRpcServer(
  options: RpcServerOptions & { readonly engine?: RpcEngineName | undefined },
): Promise<RpcServer> {
  return (options.engine ?? RPC_ENGINE_DEFAULT) === 'native' ? startNativeServer(options) : startGrpcJsServer(options);
}

/** A client of the given addresses. Nothing is sent before the first call. */
export function createRpcClient(
  options: RpcClientOptions & { readonly engine?: RpcEngineName | undefined },
): RpcClient {
  return (options.engine ?? RPC_ENGINE_DEFAULT) === 'native'
    ? createNativeClient(options)
    : createGrpcJsClient(options);
}
