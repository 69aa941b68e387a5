export type {
  BidiCall,
  CallOptions,
  ClientTls,
  OpenCall,
  RawRpcClient,
  RpcClient,
  RpcClientOptions,
  StreamReceiver,
  UnaryReceiver,
} from './client.ts';
export { EndableRequests } from './endable-requests.ts';
export { createRpcClient, RPC_ENGINE_DEFAULT, RPC_ENGINES, type RpcEngineName, startRpcServer } from './engine.ts';
export { HealthService } from './health.ts';
export { limitMetrics } from './limit-metrics.ts';
export { type PassedMetadata, passedMetadata } from './passed-metadata.ts';
export { configuredLimits, configuredPages, limitProblems, type RpcPortConfig, rpcPortKeys } from './port-keys.ts';
export { reflectionMethods } from './reflection.ts';
export { boundRequests } from './request-bound.ts';
export type { Http1Handler, RpcLimit, RpcServer, RpcServerLimits, RpcServerOptions, TlsIdentity } from './server.ts';
export {
  type BidiHandler,
  type BoundMethod,
  bidi,
  type Call,
  type CodecOverride,
  type MessageCodec,
  type Metadata,
  type MethodDefinition,
  type Reply,
  type ReplyHandler,
  RpcError,
  type RpcStatus,
  type ServerStreamHandler,
  type ServiceDefinition,
  type Sink,
  serverStream,
  type UnaryHandler,
  UnreachableError,
  unary,
  unaryReply,
} from './service.ts';
export { type ConfiguredTls, resolveTlsIdentity, type TlsFiles, type TlsIdentityOptions } from './tls-identity.ts';
export { TlsRenewal, type TlsRenewalOptions } from './tls-renewal.ts';
