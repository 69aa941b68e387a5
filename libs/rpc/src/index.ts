export type { RpcServer, RpcServerLimits, RpcServerOptions, TlsIdentity } from './server.ts';
export {
  type BidiHandler,
  type BoundMethod,
  bidi,
  type Call,
  type CodecOverride,
  type MessageCodec,
  type Metadata,
  type MethodDefinition,
  RpcError,
  type RpcStatus,
  type ServerStreamHandler,
  type ServiceDefinition,
  type Sink,
  serverStream,
  type UnaryHandler,
  unary,
} from './service.ts';
